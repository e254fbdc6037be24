/** What a sidecar tells while it starts. */
export type SidecarProgress =
  /** The CA gave nothing yet; told of every attempt that failed. */
  | {
      readonly kind: 'waiting-for-identity';
      /** Address of the CA. */
      readonly address: string;
      readonly reason: string;
      /** Since the first attempt. */
      readonly waitedMs: number;
    }
  /** The program does not accept on these ports yet; told every five seconds. */
  | { readonly kind: 'waiting-for-program'; readonly ports: readonly number[]; readonly waitedMs: number }
  /** The program accepts on all of its ports: it is an endpoint of the mesh. */
  | { readonly kind: 'serving'; readonly ports: readonly number[] };

/** For people. */
export function describeProgress(progress: SidecarProgress): string {
  switch (progress.kind) {
    case 'waiting-for-identity':
      return `no identity from the CA at ${progress.address} yet: ${progress.reason}; is a control plane running there? Still trying`;
    case 'waiting-for-program':
      return `the program does not accept on ${portsText(progress.ports)} yet; until it does, it gets no calls. Does it listen on 127.0.0.1?`;
    case 'serving':
      return `the program accepts on ${portsText(progress.ports)}: it takes calls from now on`;
  }
}

const portsText = (ports: readonly number[]): string =>
  `port${ports.length === 1 ? '' : 's'} ${ports.join(' and ')}`;
