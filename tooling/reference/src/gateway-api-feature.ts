/** A test that proves something: its file, from the root, and its name as it stands there. */
export interface Proof {
  readonly file: string;
  readonly test: string;
}

/** A feature of the Gateway API, by its name in `pkg/features` where it has one there. */
export interface Feature {
  readonly area: 'Gateway' | 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute, TCPRoute, UDPRoute' | 'Mesh' | 'Policies';
  readonly name: string;
  readonly level: 'Core' | 'Extended' | 'Experimental' | 'Implementation-specific';
  /** Absent: it is there. Else what is said to whoever asks for it. */
  readonly unsupported?: string;
  /** What there is to know. */
  readonly note?: string;
  readonly proofs: readonly Proof[];
}

/** Tests of one file. */
export const by = (file: string, ...tests: readonly string[]): readonly Proof[] =>
  tests.map((test) => ({ file, test }));
