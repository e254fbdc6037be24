/** What a load generator is asked for. */
export type Round = Http1Round | Http2Round;

interface Any {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
}

/** HTTP/1.1, one request under way a connection. */
export interface Http1Round extends Any {
  readonly kind: 'http1';
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Whether every request has a connection of its own. */
  readonly newConnections: boolean;
  /** Requests a second, evenly; absent: as many as there is room for. */
  readonly ratePerSecond?: number;
  /** Mutual TLS 1.3, never resumed. */
  readonly tls?: {
    readonly key: string;
    readonly cert: string;
    readonly ca: string;
    readonly servername: string;
  };
  /** How many different requests take turns: by path (`/svc-7/items/42`) or by host (`svc-7.example`). */
  readonly spread?: { readonly by: 'path' | 'host'; readonly count: number };
}

/** HTTP/2 in clear text with prior knowledge. */
export interface Http2Round extends Any {
  readonly kind: 'http2';
  readonly streams: number;
  /**
   * `request`: a GET a stream. `grpc-unary`: a POST of one message a stream. `messages`: streams that stay; each sends a message when the one
   * before came back, and a message counts as a request.
   */
  readonly sends: 'request' | 'grpc-unary' | 'messages';
  readonly messageBytes: number;
}

/** What a round came to. */
export interface RoundResult {
  readonly requests: number;
  readonly errors: number;
  /** What the first error was. */
  readonly firstError?: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seconds: number;
}

/** Gathers one round's results. */
export class Tally {
  readonly latencies: number[] = [];
  errors = 0;
  #firstError: string | undefined;
  readonly #started: number = performance.now();

  failed(why: string): void {
    this.errors++;
    this.#firstError ??= why;
  }

  result(): RoundResult {
    return {
      requests: this.latencies.length,
      errors: this.errors,
      ...(this.#firstError === undefined ? {} : { firstError: this.#firstError }),
      p50Ms: percentile(this.latencies, 0.5),
      p99Ms: percentile(this.latencies, 0.99),
      seconds: (performance.now() - this.#started) / 1000,
    };
  }
}

/** NaN for none. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
