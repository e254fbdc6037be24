import type { StreamRecord } from '@tulle/telemetry';

/**
 * A completed request as an engine lends it, without an engine: for tests of a sink, which change what they are about. A
 * plain GET over the outbound listener to `reviews`, answered 200 after 12 ms, not traced.
 */
export function streamRecord(change: Partial<StreamRecord> = {}): StreamRecord {
  return {
    requestId: 'r-1',
    startEpochMs: 1_700_000_000_000,
    durationMs: 12,
    firstByteMs: 10,
    upstreamServiceMs: 9,
    listener: 'outbound',
    direction: 'outbound',
    kind: 'http',
    protocol: 'HTTP/1.1',
    method: 'GET',
    path: '/',
    query: undefined,
    upstreamPath: undefined,
    authority: 'reviews',
    status: 200,
    grpcStatus: -1,
    code: '',
    flags: [],
    details: 'via_upstream',
    routeName: 'reviews-route',
    routePattern: '/',
    cluster: 'outbound|8080||reviews.default.svc.mesh.local',
    upstreamAddress: '127.0.0.1:4000',
    upstreamLabels: LABELS,
    upstreamIdentity: 'spiffe://mesh.local/ns/default/sa/reviews',
    peerIdentity: undefined,
    remoteAddress: '127.0.0.1',
    remotePort: 5000,
    localAddress: '127.0.0.1',
    localPort: 6000,
    tls: false,
    serverName: undefined,
    bytesReceived: 0,
    bytesSent: 100,
    requestMessages: 0,
    responseMessages: 0,
    attempts: [
      {
        cluster: 'outbound|8080||reviews.default.svc.mesh.local',
        address: '127.0.0.1:4000',
        status: 200,
        grpcStatus: -1,
        failure: '',
        startMs: 0,
        durationMs: 9,
        reused: true,
        spanId: '',
      },
    ],
    retryRefused: '',
    traceId: '',
    spanId: '',
    sampled: false,
    parentSpanId: '',
    traceFlags: 0,
    traceState: '',
    notes: new Int32Array(0),
    noteCount: 0,
    configGeneration: 1,
    requestHeader: () => undefined,
    responseHeader: () => undefined,
    ...change,
  };
}

const LABELS: Readonly<Record<string, string>> = Object.freeze({
  service: 'reviews',
  version: 'v2',
  workload: 'reviews-v2',
  namespace: 'default',
});
