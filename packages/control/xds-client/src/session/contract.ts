import type { ConfigIssue } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import type { DiscoverySource } from '../decode/discovery-source.ts';
import type { ResourceDecoder } from '../decode/resource.ts';
import type { FindSecret } from '../decode/secret.ts';
import type { ResourceKind } from '../wire.ts';
import type { Demand } from './demands.ts';
import type { ClientRequest, ServerResponse } from './messages.ts';
import type { Refusal } from './refusals.ts';
import type { ResourceState } from './resource-state.ts';
import type { Store } from './store.ts';

/** What the engine says to a configuration: taken whole, or refused whole with paths (JSON pointers) into it. */
export type ApplyResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/** A change that is in use. */
export interface Accepted {
  readonly changeId: string;
  readonly store: Store;
  /** What of it was refused and is not in use. */
  readonly refused: readonly Refusal[];
}

/** What a session works with. Times are monotonic milliseconds. */
export interface SessionOptions {
  readonly decoder: ResourceDecoder;
  /** What is in use already, e.g. from the saved snapshot; claimed by version, so that it is not sent again. */
  readonly initial: Store;
  /** What no server gives: there from the first stream on, and never taken away. */
  readonly fixed?: Store;
  /** Secrets that a resource names without a source. */
  readonly fixedSecret?: FindSecret;
  /** Whom to ask for listeners and for clusters; `none`: nobody. Absent: the session's stream. */
  readonly roots?: Roots;
  /** Resources held at a time, all kinds together. */
  readonly maxResources: number;
  /** Clusters and virtual hosts asked for on demand at a time. */
  readonly maxDemands: number;
  /** How long a listener waits for its routes and a cluster for its endpoints. */
  readonly warmingMs: number;
  /** How long an unfinished change is held before the stream is given up. */
  readonly holdMs: number;
  send(request: ClientRequest): void;
  /** Hands a configuration to the engine; the answer comes by {@link Session.applied}. One at a time. */
  apply(config: ProxyConfig): void;
  accepted(change: Accepted): void;
  refused(refusals: readonly Refusal[], changeId: string): void;
  /** The stream is of no use: it is to be closed and opened again. */
  abandon(reason: string): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  nowMs(): number;
  /** Milliseconds since 1970. */
  epochMs(): number;
}

/** Where the resources come from that nothing else names. */
export type Roots = Readonly<Partial<Record<'listener' | 'cluster', DiscoverySource | Collection | 'none'>>>;

/** All resources of a directory, by the name that stands for them: `xdstp://authority/type/directory/*` (delta only). */
export interface Collection {
  readonly collection: string;
  readonly source: DiscoverySource;
}

/** The client's side as a state machine: no sockets, no timers, no protobuf envelope. Lives across streams. */
export interface Session {
  /** A stream is open: asks for everything, claiming what is here. */
  connected(): void;
  /** The stream is gone: what was not complete is dropped. */
  disconnected(): void;
  response(response: ServerResponse): void;
  /**
   * A request waits for something.
   * @param done called once: it is in use, there is none, or the time is over
   */
  demand(demand: Demand, done: () => void): void;
  applied(result: ApplyResult): void;
  /** When {@link expire} is to be called; `undefined`: not at all. */
  deadlineMs(): number | undefined;
  expire(): void;
  status(): SessionStatus;
  /** Everything that is here, asked for or refused, by kind and name. */
  resources(): ResourceState[];
}

/** Where a session stands. */
export interface SessionStatus {
  /** The change in use; `''` for none yet. */
  readonly changeId: string;
  /** The server has sent all that it has, and it is in use. */
  readonly synced: boolean;
  readonly resources: Readonly<Record<ResourceKind, number>>;
  /** What waits for something, e.g. `cluster a`. */
  readonly warming: readonly string[];
  /** Refused and not replaced yet. */
  readonly refused: readonly Refusal[];
  readonly applying: boolean;
}
