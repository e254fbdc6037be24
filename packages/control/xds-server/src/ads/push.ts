import type { WireResource } from '../encode/wire-resource.ts';
import type { Comparer, Unsendable } from './differences.ts';
import type { KindRules } from './kind-rules.ts';
import type { TypeStates } from './type-states.ts';

/** Bounds of one stream. */
export interface StreamLimits {
  /** Names that a client may be subscribed to, all types together. */
  readonly maxSubscriptions: number;
  /** Responses without an answer. */
  readonly maxOutstanding: number;
  /** Resources are split over responses of about this size. */
  readonly maxResponseBytes: number;
  /** A client that does not answer for this long is let go. 0: never. */
  readonly ackTimeoutMs: number;
  /** How long listeners and routes wait for a client to ask for the endpoints of a new cluster. */
  readonly dependencyWaitMs: number;
}

/** What a push strategy shares with the stream. */
export interface PushHost<Kind extends string, Shot> {
  readonly types: TypeStates<Kind>;
  readonly rules: KindRules<Kind, Shot>;
  readonly comparer: Comparer<Kind, Shot>;
  readonly limits: StreamLimits;
  /** The newest snapshot. */
  current(): Shot;
  /** Monotonic. */
  nowMs(): number;
  canWrite(): boolean;
  outstanding(): number;
  /** Bytes of resources in one response of a type. */
  batchBytes(kind: Kind): number;
  /**
   * Sends and notes what the client then has.
   * @returns false when there was nothing to write: state of the world cannot say that routes and endpoints are gone
   */
  send(
    kind: Kind,
    changeId: string,
    resources: readonly WireResource[],
    removed: readonly string[],
    last: boolean | undefined,
  ): boolean;
  /** Notes that the client has these from before, as they should be. */
  resumed(kind: Kind, changeId: string, held: readonly WireResource[]): void;
  /** A resource of the snapshot that cannot be sent. */
  unsendable(changeId: string): Unsendable<Kind>;
}

/** Decides what is sent when. */
export interface PushStrategy<Kind extends string> {
  /** Sends what may be sent now. */
  pump(): void;
  /** After an answer was taken in. */
  answered(kind: Kind): void;
  deadlineMs(): number | undefined;
  /** Whether nothing that was decided on is still to be sent. */
  idle(): boolean;
}
