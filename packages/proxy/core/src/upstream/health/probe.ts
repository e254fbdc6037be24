import type { Http2Options } from '@tulle/http2';
import type { Engine } from '../../engine.ts';
import type { Socket } from '../../ports.ts';

/**
 * How a check ended: `passed`; `degraded`, likewise, and it says that it should have less to do; `unexpected`, answered with what no healthy endpoint answers; `retriable`, likewise, but
 * once is not enough; `network`, no connection or no whole answer; `timeout`.
 */
export type ProbeResult = 'passed' | 'degraded' | 'unexpected' | 'retriable' | 'network' | 'timeout';

/** One endpoint is asked whether it is well, one question at a time. */
export interface Probe {
  /** Asks. The result is told, unless {@link stop} comes first. */
  ask(): void;
  /** Ends the question under way, and its connection. */
  stop(): void;
  /** Nothing more is asked. */
  close(): void;
}

/** What a probe is made of. */
export interface ProbeHost {
  readonly engine: Engine;
  /** Bounds of HTTP/2 connections of the cluster. */
  readonly http2: Partial<Http2Options>;
  /** Whether its endpoints speak HTTP/2 where no ALPN says so. */
  readonly expectsHttp2: boolean;
  /** Opens a connection as requests of the cluster do: the same TLS, the same proof of identity. */
  connect(): Socket;
  readonly told: Told;
}

/** @param detail a few words for the log @param status of an answer over HTTP; 0 or absent: none */
export type Told = (result: ProbeResult, detail: string, status?: number) => void;
