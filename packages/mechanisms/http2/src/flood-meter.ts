import type { FloodBudget, Http2Options } from './options.ts';

export const FLOOD_PING = 0;
export const FLOOD_SETTINGS = 1;
export const FLOOD_RESET = 2;
export const FLOOD_STREAM_ERROR = 3;
export const FLOOD_EMPTY_DATA = 4;
export const FLOOD_USELESS = 5;
export const FLOOD_WINDOW_UPDATE = 6;
/** Which bucket. */
export type FloodKind =
  | typeof FLOOD_PING
  | typeof FLOOD_SETTINGS
  | typeof FLOOD_RESET
  | typeof FLOOD_STREAM_ERROR
  | typeof FLOOD_EMPTY_DATA
  | typeof FLOOD_USELESS
  | typeof FLOOD_WINDOW_UPDATE;

/** What ends the connection when a bucket is empty, by {@link FloodKind}. */
export const FLOOD_RULES = [
  'ping-flood',
  'settings-flood',
  'reset-flood',
  'stream-error-flood',
  'empty-data-flood',
  'useless-flood',
  'window-update-flood',
] as const;

/** Of plain arrays: a typed one is three objects, for each connection at rest. */
const ZEROS: readonly number[] = FLOOD_RULES.map(() => 0);

/**
 * Buckets of tokens for frames that cost and carry nothing. Time and useful traffic give tokens back, but only when a
 * bucket has run empty: so a frame costs one decrement, and useful frames one increment of a counter.
 */
export class FloodMeter {
  /** The owner's clock, as of the last `receive`. */
  nowMs = 0;
  /** The same, when the connection began: with full buckets. */
  startedMs = 0;
  /** Streams opened so far. */
  opened = 0;
  /** Streams that both sides ended in order. */
  ended = 0;
  /** Frames with content, either way; as with {@link dataFramesSent}. */
  contentFrames = 0;
  /** DATA frames sent, but those that the peer's window cut to almost nothing. */
  dataFramesSent = 0;
  readonly #budgets: readonly FloodBudget[];
  readonly #tokens: number[];
  readonly #filledAtMs: number[] = ZEROS.slice();
  readonly #usefulAtFill: number[] = ZEROS.slice();

  constructor(options: Http2Options) {
    this.#budgets = [
      options.pingFlood,
      options.settingsFlood,
      options.resetFlood,
      options.streamErrorFlood,
      options.emptyDataFlood,
      options.uselessFlood,
      options.windowUpdateFlood,
    ];
    this.#tokens = this.#budgets.map((budget) => budget.burst);
  }

  /** Takes a token. @returns whether there was one */
  take(kind: FloodKind): boolean {
    const tokens = this.#tokens;
    const left = (tokens[kind] as number) - 1;
    tokens[kind] = left;
    return left >= 0 || this.#fill(kind);
  }

  #fill(kind: FloodKind): boolean {
    const { burst, perSecond } = this.#budgets[kind] as FloodBudget;
    const useful = this.#useful(kind);
    const elapsedMs = this.nowMs - Math.max(this.#filledAtMs[kind] as number, this.startedMs);
    const back = (elapsedMs * perSecond) / 1000 + useful - (this.#usefulAtFill[kind] as number);
    this.#filledAtMs[kind] = this.nowMs;
    this.#usefulAtFill[kind] = useful;
    const left = Math.min(burst - 1, (this.#tokens[kind] as number) + back);
    this.#tokens[kind] = left;
    return left >= 0;
  }

  /** Tokens that useful traffic has given back since the connection began. */
  #useful(kind: FloodKind): number {
    switch (kind) {
      case FLOOD_PING:
        return this.contentFrames;
      case FLOOD_RESET:
      case FLOOD_STREAM_ERROR:
        return this.ended;
      case FLOOD_USELESS:
        return this.opened * 10;
      case FLOOD_WINDOW_UPDATE:
        return this.opened * 4 + this.dataFramesSent * 8;
      default:
        return 0;
    }
  }
}
