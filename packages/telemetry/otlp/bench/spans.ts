/**
 * What traces cost: `node --expose-gc packages/telemetry/otlp/bench/spans.ts`. Building the two spans of one sampled
 * request, encoding one batch (which holds up the loop for so long), and what loading the SDK takes.
 */
import { tracedRecord } from '../tests/traced-record.ts';
import { createBuildSpans } from '../src/build-spans.ts';
import type { RecordSpan, SpanScope } from '../src/span.ts';

const { gc } = globalThis as { gc?: () => void };
const megabytes = (): number => {
  gc?.();
  return process.memoryUsage.rss() / 1_048_576;
};
const print = (what: string, value: number, unit: string): void => {
  process.stdout.write(`${what.padEnd(52)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit}\n`);
};
const microsecondsEach = (once: () => void, times: number): number => {
  for (let i = 0; i < times; i++) once();
  const samples: number[] = [];
  for (let round = 0; round < 7; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < times; i++) once();
    samples.push(Number(process.hrtime.bigint() - start) / times / 1000);
  }
  return samples.toSorted((a, b) => a - b)[3] ?? 0;
};

const before = megabytes();
const start = performance.now();
const { createTracePipeline } = await import('../src/sdk-traces.ts');
const pipeline = await createTracePipeline({
  target: {
    url: 'http://127.0.0.1:9/v1/traces',
    protocol: 'http/protobuf',
    headers: {},
    timeoutMs: 1000,
    compression: 'none',
    tls: {},
  },
  resource: { 'service.name': 'web.shop' },
  maxQueuedSpans: 2048,
  maxBatchSpans: 128,
  delayMs: 5000,
  onExported: () => {},
});
print('loading the SDK', performance.now() - start, 'ms');
print('loading the SDK', megabytes() - before, 'MB');

const { JsonTraceSerializer, ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer');
const scope: SpanScope = { resource: pipeline.resource, name: '@tulle/telemetry-otlp' };
const record = tracedRecord({
  path: '/products/42',
  query: 'expand=reviews',
  requestHeader: (name) => (name === 'user-agent' ? 'Mozilla/5.0 (X11; Linux x86_64)' : undefined),
});
for (const istioAttributes of [false, true]) {
  const build = createBuildSpans(
    { self: { workload: 'web', namespace: 'shop', version: 'v1' } },
    { istioAttributes },
    scope,
  );
  const attributes = istioAttributes ? "with Istio's attributes" : 'without';
  print(
    `two spans of a request, ${attributes}`,
    microsecondsEach(() => build(record), 2000),
    'µs',
  );
  const spans: RecordSpan[] = [];
  while (spans.length < 128) spans.push(...build(record));
  print(
    `encoding 128 spans as protobuf, ${attributes}`,
    microsecondsEach(() => ProtobufTraceSerializer.serializeRequest(spans), 50),
    'µs',
  );
  print(
    `encoding 128 spans as JSON, ${attributes}`,
    microsecondsEach(() => JsonTraceSerializer.serializeRequest(spans), 50),
    'µs',
  );
  gc?.();
  const heap = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 1024 }, () => build(record));
  gc?.();
  print(`2048 queued spans, ${attributes}`, (process.memoryUsage().heapUsed - heap) / 1_048_576, 'MB');
  if (kept.length === 0) throw new Error('unreachable');
}
await pipeline.close();
