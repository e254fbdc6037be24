/** What is sent through every subject, and what it shows. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** What the figures count: a request unless it says otherwise. */
  readonly unit: 'request' | 'message' | 'handshake';
  readonly load: Load;
  /** Bytes of each response's body, or of each gRPC message. */
  readonly bodyBytes: number;
  /** Whether callers speak mutual TLS 1.3 with the subject. */
  readonly downstreamTls: boolean;
  /** Whether the hop to the origin is mutual TLS 1.3. */
  readonly upstreamTls: boolean;
  /** What the origin is asked in. */
  readonly upstream: 'http1' | 'http2';
  /** Two proxies of the subject in a row, mutual TLS 1.3 between them, as the sidecars of caller and called. */
  readonly pair: boolean;
  /** Routes and clusters that the subject has: all by path to one cluster, or each host to a cluster of its own. */
  readonly many: { readonly routes: number } | { readonly clusters: number } | undefined;
  /** Length of a round, milliseconds. */
  readonly roundMs: number;
}

/** How the load is made. */
export type Load =
  | {
      readonly kind: 'http1';
      /** Client connections, each with one request under way. */
      readonly connections: number;
      /** Whether each request has a connection of its own. */
      readonly newConnections: boolean;
      /** Requests a second; absent: as many as there is room for. */
      readonly ratePerSecond?: number;
    }
  | {
      readonly kind: 'http2';
      readonly connections: number;
      /** Streams under way on each. */
      readonly streams: number;
      readonly sends: 'request' | 'grpc-unary' | 'messages';
    };

const ROUND_MS = 2000;

const http1: Scenario = {
  name: 'http1-small',
  about: 'HTTP/1.1 keep-alive, 64-byte reply, 32 connections',
  unit: 'request',
  load: { kind: 'http1', connections: 32, newConnections: false },
  bodyBytes: 64,
  downstreamTls: false,
  upstreamTls: false,
  upstream: 'http1',
  pair: false,
  many: undefined,
  roundMs: ROUND_MS,
};

const http2: Scenario = {
  ...http1,
  name: 'http2-small',
  about: 'HTTP/2 in clear text on both sides, 64-byte reply, 8 connections of 16 streams',
  load: { kind: 'http2', connections: 8, streams: 16, sends: 'request' },
  upstream: 'http2',
};

/** Every scenario in which subjects are compared. */
export const scenarios: readonly Scenario[] = [
  http1,
  {
    ...http1,
    name: 'http1-64k',
    about: 'HTTP/1.1 keep-alive, 64 KiB reply, 16 connections',
    load: { kind: 'http1', connections: 16, newConnections: false },
    bodyBytes: 65_536,
  },
  {
    ...http1,
    name: 'http1-1m',
    about: 'HTTP/1.1 keep-alive, 1 MiB reply, 8 connections',
    load: { kind: 'http1', connections: 8, newConnections: false },
    bodyBytes: 1_048_576,
  },
  {
    ...http1,
    name: 'http1-close',
    about: 'HTTP/1.1, a connection for each request, 64-byte reply, 32 at a time, keep-alive to the origin',
    load: { kind: 'http1', connections: 32, newConnections: true },
  },
  {
    ...http1,
    name: 'http1-mtls',
    about: 'HTTP/1.1 keep-alive, 64-byte reply, 32 connections, mutual TLS 1.3 to the origin',
    upstreamTls: true,
  },
  http2,
  {
    ...http2,
    name: 'http2-single',
    about: 'HTTP/2 in clear text on both sides, 64-byte reply, 8 connections of 1 stream',
    load: { kind: 'http2', connections: 8, streams: 1, sends: 'request' },
  },
  {
    ...http2,
    name: 'grpc-unary',
    about: 'gRPC, unary calls, messages of 64 bytes, 8 connections of 16 streams',
    load: { kind: 'http2', connections: 8, streams: 16, sends: 'grpc-unary' },
  },
  {
    ...http2,
    name: 'grpc-stream',
    about:
      'gRPC, streaming both ways, 8 connections of 16 streams, each sends 64 bytes when the last came back; a message there and back counts',
    unit: 'message',
    load: { kind: 'http2', connections: 8, streams: 16, sends: 'messages' },
  },
  {
    ...http1,
    name: 'tls-handshake',
    about: 'new mutual TLS 1.3 connections, none resumed, one HTTP/1.1 request each, 8 at a time',
    unit: 'handshake',
    load: { kind: 'http1', connections: 8, newConnections: true },
    downstreamTls: true,
  },
  {
    ...http1,
    name: 'sidecar-pair',
    about:
      'two proxies in a row, mutual TLS 1.3 between them, HTTP/1.1 outside, 64-byte reply, 32 connections',
    pair: true,
  },
  {
    ...http1,
    name: 'sidecar-pair-paced',
    about: 'the same pair at 1,000 requests a second over 32 connections: what it adds to latency',
    load: { kind: 'http1', connections: 32, newConnections: false, ratePerSecond: 1000 },
    pair: true,
  },
  {
    ...http1,
    name: 'routes-1000',
    about:
      'HTTP/1.1 keep-alive, 64-byte reply, 32 connections, 1,000 routes by path prefix, all asked in turn',
    many: { routes: 1000 },
  },
  {
    ...http1,
    name: 'clusters-1000',
    about:
      'HTTP/1.1 keep-alive, 64-byte reply, 32 connections, 1,000 hosts with a cluster each, all asked in turn',
    many: { clusters: 1000 },
  },
];
