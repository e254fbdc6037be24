/** What is sent through every subject, and what it shows. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Bytes of each response's body. */
  readonly bodyBytes: number;
  /** Client connections, each with one request under way. */
  readonly connections: number;
  /** Whether the hop to the origin is mutual TLS 1.3. */
  readonly upstreamTls: boolean;
  /** Client processes are given this long a round, milliseconds. */
  readonly roundMs: number;
}

/** The scenarios of this first form. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'http1-small',
    about: 'HTTP/1.1 keep-alive, 64-byte reply, 32 connections',
    bodyBytes: 64,
    connections: 32,
    upstreamTls: false,
    roundMs: 3000,
  },
  {
    name: 'http1-1m',
    about: 'HTTP/1.1 keep-alive, 1 MiB reply, 8 connections',
    bodyBytes: 1_048_576,
    connections: 8,
    upstreamTls: false,
    roundMs: 3000,
  },
  {
    name: 'http1-mtls',
    about: 'HTTP/1.1 keep-alive, 64-byte reply, 32 connections, mutual TLS 1.3 to the origin',
    bodyBytes: 64,
    connections: 32,
    upstreamTls: true,
    roundMs: 3000,
  },
];
