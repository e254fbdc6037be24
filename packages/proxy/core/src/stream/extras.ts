import type { FieldTable } from '@tulle/fields';
import type { ResponseFlag } from '@tulle/filter';
import type { WheelTimer } from '@tulle/time';
import type { Bytes } from '../bytes.ts';
import type { DataStep, FilterInstance, PhaseTable } from '../chain/tables.ts';
import type { MessageCounter } from '../grpc/message-counter.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { RouteMetrics } from '../upstream/route-metrics.ts';
import type { MirrorFeed } from './mirror-feed.ts';
import { StreamTrace } from './stream-trace.ts';

/** A filter that ran and is not in force any more after a rematch. */
export interface RetiredFilter {
  readonly filter: FilterInstance;
  readonly config: unknown;
}

/** The data hooks of one direction; `chain/body.ts` makes them. */
export interface BodyHooks {
  /** A hook put other bytes in the place of those that came. */
  readonly changed: boolean;
  /** A piece of body. @returns whether `chunk` is kept (D1) */
  push(chunk: Bytes, start: number, end: number, owned: boolean): boolean;
  /** No more body. */
  end(): void;
  revoke(): void;
}

// Shared by streams that have none: never written. Not frozen, so that they are of the same kind as those that others have.
export const NO_SLOTS: readonly number[] = [];
export const NO_ENDPOINTS: readonly UpstreamEndpoint[] = [];
export const NO_FILTERS: readonly RetiredFilter[] = [];
export const NO_NAMES: readonly string[] = [];
export const NO_COUNTERS: readonly RouteMetrics[] = [];
export const NO_FLAGS: readonly ResponseFlag[] = [];
export const NO_TRACE: StreamTrace = new StreamTrace();

/** What few streams need. */
export class Extras {
  retired: readonly RetiredFilter[] = NO_FILTERS;
  requestTrailers: FieldTable | undefined = undefined;
  requestPipe: BodyHooks | undefined = undefined;
  requestChoices: readonly number[] = NO_SLOTS;
  requestSteps: readonly DataStep[] | null = null;
  requestStepsOf: PhaseTable | undefined = undefined;
  upgrade: string | undefined = undefined;
  /** The endpoint gets what the request carries, and no request (model `ConnectTermination`). */
  toBytes = false;
  deadlineMs: number = 0;
  toldTimeoutMs: number = -1;
  tried: readonly UpstreamEndpoint[] = NO_ENDPOINTS;
  retryRefused: string = '';
  staleReplays: number = 0;
  mirrors: MirrorFeed | undefined = undefined;
  counters: readonly RouteMetrics[] = NO_COUNTERS;
  hash: number = -1;
  hashCookie: string = '';
  sessionEndpoint: UpstreamEndpoint | undefined = undefined;
  sessionBornMs: number = 0;
  drawn = -1;
  redirects: number = 0;
  redirectedBy: readonly string[] = NO_NAMES;
  responseTrailers: FieldTable | undefined = undefined;
  responsePipe: BodyHooks | undefined = undefined;
  responseChoices: readonly number[] = NO_SLOTS;
  localFields: FieldTable | undefined = undefined;
  replyBody: Bytes | undefined = undefined;
  notesDropped: number = 0;
  matchedPath: string = '';
  matchedAuthority: string = '';
  savedFields: FieldTable | undefined = undefined;
  savedTrailers: FieldTable | undefined = undefined;
  tryEndMs: number = 0;
  perTryTimer: WheelTimer | undefined = undefined;
  tryIdleTimer: WheelTimer | undefined = undefined;
  retryTimer: WheelTimer | undefined = undefined;
  receiveTimer: WheelTimer | undefined = undefined;
  durationTimer: WheelTimer | undefined = undefined;
  logTimer: WheelTimer | undefined = undefined;
  clientAddress: string = '';
  toldScheme: 'http' | 'https' | undefined = undefined;
  code = '';
  details = '';
  flags: readonly ResponseFlag[] = NO_FLAGS;
  requestCounter: MessageCounter | undefined = undefined;
  responseCounter: MessageCounter | undefined = undefined;
  trace: StreamTrace = NO_TRACE;
  readonly slots: Map<string, unknown> = new Map<string, unknown>();

  reset(): void {
    this.retired = NO_FILTERS;
    this.requestTrailers = undefined;
    this.requestPipe = undefined;
    this.requestChoices = NO_SLOTS;
    this.requestSteps = null;
    this.requestStepsOf = undefined;
    this.upgrade = undefined;
    this.toBytes = false;
    this.deadlineMs = 0;
    this.toldTimeoutMs = -1;
    this.tried = NO_ENDPOINTS;
    this.retryRefused = '';
    this.staleReplays = 0;
    this.mirrors = undefined;
    this.counters = NO_COUNTERS;
    this.hash = -1;
    this.hashCookie = '';
    this.sessionEndpoint = undefined;
    this.sessionBornMs = 0;
    this.drawn = -1;
    this.redirects = 0;
    this.redirectedBy = NO_NAMES;
    this.responseTrailers = undefined;
    this.responsePipe = undefined;
    this.responseChoices = NO_SLOTS;
    this.localFields?.reset();
    this.replyBody = undefined;
    this.notesDropped = 0;
    this.matchedPath = '';
    this.matchedAuthority = '';
    this.code = '';
    this.details = '';
    this.flags = NO_FLAGS;
    this.requestCounter?.reset();
    this.responseCounter?.reset();
    if (this.trace !== NO_TRACE) this.trace.reset();
    if (this.slots.size > 0) this.slots.clear();
    this.tryEndMs = 0;
    this.perTryTimer?.cancel();
    this.tryIdleTimer?.cancel();
    this.retryTimer?.cancel();
    this.receiveTimer?.cancel();
    this.durationTimer?.cancel();
    this.logTimer?.cancel();
    this.clientAddress = '';
    this.toldScheme = undefined;
    this.savedFields = undefined; // of this request, and of no later one
  }
}
