import type { Field } from './configuration.ts';

/** What a client got. */
export interface Reply {
  /** `ended`: the connection ended with nothing; `cut`: within an answer; `invalid`: what came is no HTTP. */
  readonly outcome: 'answered' | 'ended' | 'cut' | 'invalid' | 'nothing comes' | 'no connection';
  readonly status?: number;
  readonly headers?: readonly Field[];
  readonly body?: string;
  readonly trailers?: readonly Field[];
  readonly interim?: readonly number[];
  /** Of the connection after the answer. `silent`: neither answers nor ends. */
  readonly fate?: 'open' | 'closed' | 'silent';
  /** Of every answer on a connection to which bytes were written. */
  readonly statuses?: readonly string[];
  /** Whose certificate the other side showed, in which version of TLS, and by which protocol it goes on. */
  readonly tls?: string;
  readonly note?: string;
}
