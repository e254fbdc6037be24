/** An X.509 SVID with its key, as PEM. The key never crosses the network (decision D14). */
export interface Svid {
  /** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` */
  readonly spiffeId: string;
  /** Leaf first, then issuers, without the root. */
  readonly certificateChainPem: string;
  /** PKCS #8. */
  readonly privateKeyPem: string;
  /** Validity in milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Serial number of the leaf, hex. */
  readonly serial: string;
}

/** The roots of one trust domain. */
export interface TrustBundle {
  readonly trustDomain: string;
  readonly rootsPem: readonly string[];
  /** Grows with each change of the roots. */
  readonly generation: number;
}

/** What a process can prove and whom it believes, at one moment. Immutable; a rotation makes a new one. */
export interface IdentitySnapshot {
  readonly svid: Svid;
  readonly bundles: readonly TrustBundle[];
}

/** Gives the current identity and tells of changes. */
export interface IdentitySource {
  /** `undefined` until the first SVID is there. */
  current(): IdentitySnapshot | undefined;
  /** @param listener called with each new snapshot, not with the current one. @returns stops it */
  subscribe(listener: (snapshot: IdentitySnapshot) => void): () => void;
}
