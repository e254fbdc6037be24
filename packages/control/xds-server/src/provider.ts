import type { Locality, ProxyConfig, TrustBundle } from '@tulle/model';

/** Who is at the other end of an ADS stream: `envoy.config.core.v3.Node` of its first request, and what it proved. */
export interface NodeInfo {
  readonly id: string;
  readonly cluster: string;
  /** `Node.metadata` as plain JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The authenticated SPIFFE id; `undefined` only where the service was told to admit streams without one. */
  readonly identity: string | undefined;
  readonly userAgent: string;
  /** It is a program with gRPC's own xDS, and no proxy beside one. */
  readonly seat?: 'grpc';
  /** Where it runs (`Node.locality`). */
  readonly locality?: Locality;
  /** Filter ids as `id@version` (`Node.extensions`). */
  readonly extensions: readonly string[];
}

/** Gives each proxy its snapshots. The control plane implements it; the ADS service asks it once a stream. */
export interface SnapshotProvider {
  /** @throws TulleError to refuse the node: the stream ends with PERMISSION_DENIED and the error's message. */
  open(node: NodeInfo): SnapshotHandle;
}

/** One stream's view of the configuration. */
export interface SnapshotHandle {
  /** The newest snapshot. Called when the stream starts and whenever it has room to send. */
  current(): Snapshot;
  /**
   * @param listener called after {@link current} changed; may be called often, the stream coalesces
   * @returns stops it
   */
  subscribe(listener: (snapshot: Snapshot) => void): () => void;
  /**
   * Told when the proxy says something new of itself on its stream, such as that it is ready. Id and identity stay.
   * @throws TulleError to refuse it: the stream ends with PERMISSION_DENIED and the error's message
   */
  described?(node: NodeInfo): void;
  /**
   * Gives the provider a way to end the stream, with words for the client: another stream took its place.
   */
  replaceable?(end: (reason: string) => void): void;
  /**
   * Told when the names change by which the client asks for a kind of resource, before it is answered: what it should have may
   * depend on them. Not told of wildcards. Must not throw.
   */
  asked?(kind: ResourceKind, names: ReadonlySet<string>): void;
  /** Told of each response, when it is handed to the transport. Must not throw. */
  sent?(report: SentReport): void;
  /**
   * Told of what the proxy said it has from before its stream, where that is what it should have; such resources are
   * not sent. At most once a resource. Must not throw.
   */
  resumed?(report: ResumeReport): void;
  /** Told of each answer of the proxy, in order. Must not throw. */
  acked(report: AckReport): void;
  /**
   * Told when nothing of a kind is left to send and nothing unanswered, up to a change: the proxy has it, but for what
   * it refused. Comes also where nothing had to be sent, e.g. because it was changed back before it went out.
   */
  upToDate?(kind: ResourceKind, changeId: string): void;
  /** The stream ended: `clean` by the client's half-close, else `lost`. Called exactly once, last. */
  closed(how: 'clean' | 'lost'): void;
}

/** What one proxy should have, at one moment. */
export interface Snapshot {
  /** Id of the newest change that is in it (decision D16). */
  readonly changeId: string;
  /**
   * Treated as immutable. An unchanged listener, route configuration, cluster or endpoint set should be the *same
   * object* as in the snapshot before, and shared between proxies: it is then neither encoded nor hashed again.
   */
  readonly config: ProxyConfig;
}

/** Kinds of resources, one for each xDS type that is served. */
export type ResourceKind = 'listener' | 'route' | 'cluster' | 'endpoint';

/** One response to a proxy. */
export interface SentReport {
  readonly kind: ResourceKind;
  /** Change that the response belongs to. */
  readonly changeId: string;
  /** With the content hash as version. */
  readonly resources: readonly { readonly name: string; readonly version: string }[];
  readonly removed: readonly string[];
}

/** What a proxy has from before its stream, as it should be. */
export interface ResumeReport<Kind extends string = ResourceKind> {
  readonly kind: Kind;
  /** Change of the snapshot with which it was compared. */
  readonly changeId: string;
  /** With the content hash as version. */
  readonly resources: readonly { readonly name: string; readonly version: string }[];
}

/** A proxy's ACK or NACK of one response. */
export interface AckReport<Kind extends string = ResourceKind> {
  readonly kind: Kind;
  /** Change that the response belonged to. */
  readonly changeId: string;
  readonly nonce: string;
  /** What was sent, with the content hash as version. */
  readonly resources: readonly { readonly name: string; readonly version: string }[];
  readonly removed: readonly string[];
  /** `false`: the proxy refused (NACK) and keeps what it had. */
  readonly ok: boolean;
  /** The proxy's reasons, for a NACK. */
  readonly error?: string;
  /** Milliseconds since 1970. */
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
}

/** Whom the mesh believes, for clients that are given it as the secret `ROOTCA` (SDS). */
export interface TrustBundles {
  current(): readonly TrustBundle[];
  /** @returns stops it */
  subscribe(listener: () => void): () => void;
}
