import type { Headers, HttpStream } from '@tulle/filter';
import type { CheckInput, RunningCheck } from './outcome.ts';

/** Asks the service. */
export interface CheckClient {
  /** Reads the stream before it returns, and not afterwards. */
  check(stream: HttpStream, input: CheckInput): RunningCheck;
  /** Names of the request's headers that only the service may say: the caller's own lines of these are nobody's word. */
  claimed(headers: Headers): readonly string[];
  close(): void;
}
