/**
 * What traces cost: `node --expose-gc packages/telemetry/otlp/bench/spans.ts`. Building the two spans of one sampled
 * request, encoding one batch (which holds up the loop for so long), and what loading the SDK and its first export take.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
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

// A collector of its own process, so that its memory is not in the figures.
if (process.argv[2] === 'collector') {
  const { createServer } = process.getBuiltinModule('node:http');
  const server = createServer((request, response) => request.resume().on('end', () => response.end()));
  server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
  process.once('disconnect', () => process.exit());
  await once(process, 'disconnect');
}
const collector = fork(import.meta.filename, ['collector']);
const [{ port }] = (await once(collector, 'message')) as [{ port: number }];

const before = megabytes();
const start = performance.now();
const { createTracePipeline } = await import('../src/sdk-traces.ts');
const { promise: exported, resolve: onExported } = Promise.withResolvers<Error | undefined>();
const pipeline = await createTracePipeline({
  target: {
    url: `http://127.0.0.1:${port}/v1/traces`,
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
  onExported: (_spans, error) => onExported(error),
});
print('loading the SDK', performance.now() - start, 'ms');
const loadedMb = megabytes();
print('loading the SDK', loadedMb - before, 'MiB');
const scope: SpanScope = { resource: pipeline.resource, name: '@tulle/telemetry-otlp' };
for (const span of createBuildSpans({}, {}, scope)(tracedRecord())) pipeline.processor.onEnd(span);
await pipeline.processor.forceFlush();
const failure = await exported;
if (failure !== undefined) throw failure;
print('the first export, over HTTP', megabytes() - loadedMb, 'MiB');
collector.disconnect();

const { JsonTraceSerializer, ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer');
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
  print(`2048 queued spans, ${attributes}`, (process.memoryUsage().heapUsed - heap) / 1_048_576, 'MiB');
  if (kept.length === 0) throw new Error('unreachable');
}
await pipeline.close();
