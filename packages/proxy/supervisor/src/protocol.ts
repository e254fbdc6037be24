import type { Address, Demand, ProxyConfig, TrustBundle } from '@tulle/model';
import type { SharedLimit } from '@tulle/time';
import type { LogLevel } from './stderr-log.ts';
import type { WireError } from './wire-error.ts';

/**
 * The conversation between supervisor and engine process, over Node's IPC channel with structured clone. Supervisor and
 * child may be of different releases during an upgrade, so the first message carries the version; a child that does
 * not speak it says so and ends.
 */
export const PROTOCOL_VERSION = 1;

/** A certificate for a CSR that the child made. */
export interface SignedIdentity {
  readonly spiffeId: string;
  /** Leaf first, without the root. */
  readonly certificateChainPem: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly bundles: readonly TrustBundle[];
}

/** Supervisor to child. */
export type ToChild =
  | {
      readonly kind: 'welcome';
      readonly protocol: number;
      readonly slot: number;
      /** Engine processes at a time; absent from a supervisor of before. */
      readonly workers?: number;
      readonly generation: number;
      readonly settings: unknown;
      readonly adminAddress: Address;
      readonly config: ProxyConfig | undefined;
      readonly identity: IdentityWelcome | undefined;
      /** Of the workloads that it serves; absent: of none. */
      readonly identities?: readonly IdentityWelcome[];
      /** Of its log; absent: `info`. */
      readonly logLevel?: LogLevel;
      /** Connections are evened out between processes: what this one has too many of may be offered. */
      readonly balances?: boolean;
      /** Tokens of limits that processes share are lent, to so many processes at a time. */
      readonly lendsTo?: number;
      /** What requests need is looked for. */
      readonly discovers?: boolean;
    }
  /** Tokens for a `borrow`. */
  | { readonly kind: 'lent'; readonly id: number; readonly granted: number; readonly retryInMs: number }
  /** What a `discover` asked for is in use, or there is none. */
  | { readonly kind: 'discovered'; readonly id: number }
  /** A connection that another process accepted travels as the message's handle. `key`: the listening socket it came to. */
  | { readonly kind: 'connection'; readonly id: number; readonly key: string }
  /** Connections of the other process that has least; absent: there is none to give to. */
  | { readonly kind: 'least'; readonly connections?: number }
  /** The socket travels as the message's handle. */
  | { readonly kind: 'listener'; readonly id: number; readonly key: string; readonly address: Address }
  | { readonly kind: 'config'; readonly id: number; readonly config: ProxyConfig }
  | { readonly kind: 'signed'; readonly id: number; readonly identity: SignedIdentity }
  | { readonly kind: 'failed'; readonly id: number; readonly error: WireError }
  /** Another workload to serve. */
  | { readonly kind: 'add-identity'; readonly id: number; readonly identity: IdentityWelcome }
  | { readonly kind: 'remove-identity'; readonly spiffeId: string }
  /** Make another key and have it signed. `spiffeId`: of a workload, else its own. */
  | { readonly kind: 'renew-identity'; readonly spiffeId?: string }
  | { readonly kind: 'bundles'; readonly bundles: readonly TrustBundle[]; readonly spiffeId?: string }
  /** Answer when no renewal is pending. */
  | { readonly kind: 'settle-identity'; readonly id: number }
  | { readonly kind: 'stats'; readonly id: number }
  | { readonly kind: 'drain' }
  /** End now; connections are cut. */
  | { readonly kind: 'close' };

/** What a child needs to know to obtain an identity. */
export interface IdentityWelcome {
  readonly spiffeId: string;
  readonly bundles: readonly TrustBundle[];
  /** Where this slot keeps key and certificate (0600) for a start without the CA; absent: only in memory. */
  readonly file: string | undefined;
}

/** Child to supervisor. */
export type ToSupervisor =
  /** `balances`: it can be given connections. */
  | { readonly kind: 'hello'; readonly protocol: number; readonly balances?: boolean }
  /** It has so many connections now. */
  | { readonly kind: 'load'; readonly connections: number }
  /** A connection that it has too many of travels as the message's handle. */
  | { readonly kind: 'offer'; readonly key: string; readonly connections: number }
  | {
      readonly kind: 'borrow';
      readonly id: number;
      readonly limit: SharedLimit;
      readonly key: string;
      readonly want: number;
    }
  | {
      readonly kind: 'give-back';
      readonly limit: SharedLimit;
      readonly key: string;
      readonly tokens: number;
    }
  /** It has what it was given, or nothing listens there (any more). */
  | { readonly kind: 'took'; readonly id: number; readonly taken: boolean; readonly connections: number }
  /** A request needs something; the answer comes when it is in use. */
  | { readonly kind: 'discover'; readonly id: number; readonly demand: Demand }
  | { readonly kind: 'acquire'; readonly id: number; readonly address: Address }
  | { readonly kind: 'release'; readonly key: string }
  /** `spiffeId`: of a workload, else its own. */
  | { readonly kind: 'sign'; readonly id: number; readonly csrPem: string; readonly spiffeId?: string }
  /** The engine is up and has taken the configuration of the welcome. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly stats?: Readonly<Record<string, number>> }
  | { readonly kind: 'failed'; readonly id: number; readonly error: WireError }
  /** The engine could not be made, or broke: the process ends after this. */
  | { readonly kind: 'broken'; readonly error: WireError }
  /** It begins to drain, told to or by a signal of its own: it takes no new work. */
  | { readonly kind: 'draining' };
