import type { Headers, RequestHead } from '@tulle/filter';

/**
 * What matching reads of a request; the engine's `stream.request` is one. Read-only, so a dry run can make one from
 * plain data.
 */
export interface MatchView extends Readonly<Pick<RequestHead, 'authority' | 'method' | 'path' | 'query'>> {
  readonly headers: Headers;
  /** Absent: `http`. */
  readonly scheme?: string;
  /** Whether the caller proved who it is. Absent: it did not. */
  readonly provenPeer?: boolean;
  /** What filters have found out, by namespace. Absent: nothing. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Texts that filters have put down, by key. Absent: none. */
  readonly filterState?: Readonly<Record<string, string>> | undefined;
  /** Uniform in [0, 1), the same whenever it is asked for one request. Absent: 0, which is in every share. */
  draw?(): number;
}
