import { expect, it } from 'vitest';
import { RecordSpan } from './span.ts';
import { zipkinJson } from './zipkin.ts';

it.each([
  ['192.0.2.1', { ipv4: '192.0.2.1' }],
  ['2001:db8::1', { ipv6: '2001:db8::1' }],
  ['envoy://hop/10.0.0.1:80', undefined],
  ['/run/app.sock', undefined],
])('the other end %s is told to Zipkin as %j', (peer, expected) => {
  const span = new RecordSpan(
    {
      name: 'a',
      kind: 'client',
      traceId: '1'.repeat(32),
      spanId: '2'.repeat(16),
      parentSpanId: '',
      parentIsRemote: false,
      traceFlags: 1,
      traceState: '',
      startEpochMs: 1,
      endEpochMs: 2,
      failed: false,
      attributes: { 'network.peer.address': peer },
    },
    { resource: undefined, name: 'tulle' },
  );
  const [told] = JSON.parse(zipkinJson([span], 'web')) as Record<string, unknown>[];
  expect([told?.['remoteEndpoint'], told?.['tags']]).toEqual([expected, { 'network.peer.address': peer }]);
});
