import type { TrustBundle } from '@tulle/model';
import type { Clock } from '@tulle/time';
import type { CaEvent } from './ca-events.ts';
import type { RootRotation, StoredAuthority } from './ca-state.ts';
import type { Holder, HolderName } from './holders.ts';
import type { JoinToken, JoinTokenRequest, KnownJoinToken } from './join-tokens.ts';
import type { LabelGrant } from './labels.ts';
import type { SecretStore } from './store.ts';

export interface CaOptions {
  readonly trustDomain: string;
  /** `directoryStore(path)`, or `memoryStore()` where identities need not outlive the process. */
  readonly store: SecretStore;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default 10 years: replacing a root touches every peer, so it is a planned act. */
  readonly rootLifetimeMs?: number;
  /** Default 90 days; a new issuer is made when a third of it is left, so a CA that was off for weeks still has one. */
  readonly issuerLifetimeMs?: number;
  /** Default 24 h, the field's usual value: short enough that revocation is seldom needed. At least 10 s. */
  readonly leafLifetimeMs?: number;
  /** Certificates begin this much before they are issued, for peers whose clocks are behind. Default 20 000 ms. */
  readonly clockSkewMs?: number;
  /** Join tokens remembered, unspent and lately spent; default 10 000 (about 200 bytes each). Past it no token is made. */
  readonly maxTokens?: number;
  /** Instances told apart; default 20 000. Past it those of one identity count as one, and a change of roots waits for the end of their certificates. */
  readonly maxHolders?: number;
  /** Called for everything an auditor or a metric wants to know. Must not throw. */
  readonly onEvent?: (event: CaEvent) => void;
}

/** A certificate that was just issued, with what its holder must believe. */
export interface IssuedSvid {
  readonly spiffeId: string;
  /** Leaf, then issuer. */
  readonly certificateChainDer: readonly Buffer[];
  readonly certificateChainPem: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly leafEpoch: number;
  readonly bundles: readonly TrustBundle[];
}

/** What a CA publishes to everybody whom it certified. */
export interface CaPublication {
  readonly bundles: readonly TrustBundle[];
  readonly leafEpoch: number;
}

/** How a change of roots stands. */
export interface RootRotationStatus {
  readonly phase: RootRotation['phase'];
  readonly fromRootId: string;
  readonly toRootId: string;
  readonly startedMs: number;
  /** When the old root is removed, at the earliest; undefined while the new one is being distributed. */
  readonly removeAtMs: number | undefined;
  /** Holders of valid certificates. */
  readonly holders: number;
  /** Those that have confirmed the bundle with both roots. */
  readonly confirmed: number;
  /** Those that use a certificate below the new root; 0 while it is being distributed. */
  readonly renewed: number;
  /**
   * Some of those that have not done their part in this phase, the first to end first: `distributing` ends when they have
   * confirmed both roots, or when their certificates have ended.
   */
  readonly waitingFor: readonly Holder[];
}

export interface CaStatus {
  readonly trustDomain: string;
  readonly generation: number;
  readonly leafEpoch: number;
  /** All that are believed. */
  readonly roots: readonly Omit<StoredAuthority, 'certificatePem'>[];
  /** Of the root that signs. */
  readonly signingRootId: string;
  /** The last is the one in use. */
  readonly issuers: readonly Omit<StoredAuthority, 'certificatePem'>[];
  /** Instances of workloads with a valid certificate, and how many of them hear the CA now. */
  readonly holders: number;
  readonly connected: number;
  readonly rootRotation: RootRotationStatus | undefined;
}

/** Who asks, beside what a token or certificate proves. */
export interface Caller extends HolderName {
  /** `address:port`, for the log. */
  readonly peer?: string;
}

/** A SPIFFE CA for one trust domain: a root, an issuer below it, and leaves made from attestations. */
export interface Ca {
  readonly trustDomain: string;
  /** SHA-256 of the signing root's public key, base64url: what join tokens carry. */
  readonly rootPin: string;
  published(): CaPublication;
  /** Called after each change of bundles or leaf epoch. Returns the end of it. */
  subscribe(fn: (publication: CaPublication) => void): () => void;
  /** @throws {CaError} `reserved-identity` for the control plane's own id, `too-many-tokens`. */
  createJoinToken(request: JoinTokenRequest): Promise<JoinToken>;
  /** False when there is no unused token of that id. */
  revokeJoinToken(id: string): Promise<boolean>;
  /** Tokens that are kept: unused ones, and lately used, revoked or expired ones. The newest first. */
  joinTokens(): Promise<readonly KnownJoinToken[]>;
  /** Labels that the workloads of an identity may claim: what the tokens granted by which its instances joined. */
  grantedLabels(spiffeId: string): LabelGrant;
  /** First certificate, for whoever holds a join token. @throws {CaError} */
  attest(joinToken: string, csrDer: Uint8Array, from?: Caller): Promise<IssuedSvid>;
  /** Next certificate, for whoever proved `callerId` over mutual TLS. @throws {CaError} */
  renew(callerId: string, csrDer: Uint8Array, from?: Caller): Promise<IssuedSvid>;
  /** A certificate for this process itself (the control plane, a test). Reachable in code only, never over the network. @throws {CaError} */
  issueLocal(spiffeId: string, csrDer: Uint8Array): Promise<IssuedSvid>;
  /** Makes a new issuer, signs with it from now on, and has every leaf renewed. Old leaves stay valid until they expire. */
  rotateIssuer(): Promise<void>;
  /** Has every leaf renewed now. */
  rotateLeaves(): Promise<void>;
  /**
   * Begins to replace the root. The new one is made known to everybody (`distributing`); when every holder of a valid
   * certificate has confirmed it, or its certificate has ended, it signs and all leaves are renewed (`overlapping`); when
   * no leaf below the old root is valid any more, that is removed, and connections and TLS sessions below it end. It goes
   * on by itself, also over restarts.
   * @throws {CaError} `rotation-running`
   */
  rotateRoot(): Promise<void>;
  /** Has the new root sign although somebody has not confirmed it. @throws {CaError} `no-rotation`, `rotation-running` */
  switchRoot(): Promise<void>;
  /** Removes the old root although leaves below it are valid: for one that is not to be believed. @throws {CaError} */
  removeOldRoot(): Promise<void>;
  /** Gives the new root up while it does not sign yet. @throws {CaError} */
  abandonRootRotation(): Promise<void>;
  /** A holder uses these roots and a certificate of this epoch; `IdentityService.Watch` tells it. */
  confirm(
    callerId: string,
    holder: HolderName,
    inUse: { readonly bundleGeneration: number; readonly leafEpoch: number },
  ): void;
  /** A holder hears the CA. @returns the end of it */
  watching(callerId: string, holder: HolderName): () => void;
  status(): CaStatus;
  /** Stops the timer and writes what is not written; then another process may open the store. */
  close(): Promise<void>;
}
