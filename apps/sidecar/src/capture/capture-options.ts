/** Whose connections a sidecar captures, and how. */
export interface CaptureOptions {
  /**
   * `program`: what is started in the cgroup of {@link ProgramCapture.cgroup} alone, on a host with others. `namespace`:
   * everything in the network namespace that the sidecar runs in, as beside a program in a container.
   */
  readonly scope: 'program' | 'namespace';
  /** What becomes of calls to whom the mesh does not know. Default `passthrough`: they go on as they were meant. */
  readonly egress?: 'passthrough' | 'registry-only';
  /**
   * What becomes of new connections when sidecar and supervisor are gone without a farewell (SIGKILL): `open`, the rules go
   * with them and connections go where they were meant; `closed`, the rules stay as long as the program runs, and nobody
   * takes what they lead; for the scope `program`. Default `open`.
   */
  readonly ifProxyDies?: 'open' | 'closed';
  /**
   * Services that the program calls: `name`, `name.namespace`, `*.namespace` or `*`. The sidecar is told of these and of no
   * others, which are then whom the mesh does not know. Default all.
   */
  readonly reachable?: readonly string[];
  /** Networks that are left alone, CIDR or addresses, beside loopback. */
  readonly excludeCidrs?: readonly string[];
  /** Ports of others that are left alone. */
  readonly excludePorts?: readonly number[];
  /** Ports of the program at which it is called past the sidecar, by whoever likes. Default none. */
  readonly excludeInboundPorts?: readonly number[];
}

/** Loopback is no network: programs speak to themselves there. The other half of 127.0.0.0/8 is that of virtual addresses. */
export const LOOPBACK: readonly string[] = ['127.0.0.0/9', '::1'];
