import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startCollector, type Collector } from '@tulle/otlp-collector';
import { tracedRecord } from '../tests/traced-record.ts';
import { otlp, type OtlpOptions, type OtlpPlugin, type OtlpTraceOptions } from './index.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

const collecting = async (): Promise<Collector> => {
  const collector = await startCollector();
  undo.push(async () => collector.close());
  return collector;
};

const exporter = (
  endpoint: string,
  traces: OtlpTraceOptions = {},
  options: Partial<OtlpOptions> = {},
): OtlpPlugin & { errors: string[] } => {
  const errors: string[] = [];
  const plugin = otlp({
    endpoint,
    env: {},
    timeoutMs: 200,
    onError: (message) => errors.push(message),
    ...options,
    traces: { maxQueuedSpans: 10, maxBatchSpans: 4, delayMs: 10, ...traces },
  });
  undo.push(async () => plugin.sink.close());
  return { ...plugin, errors };
};

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

describe('a collector that is away', () => {
  it('costs no more than the queue: what does not fit, and what was given up, is counted', async () => {
    const plugin = exporter(`http://127.0.0.1:${await deadPort()}`);
    for (let i = 0; i < 1000; i++) {
      plugin.sink.record(tracedRecord());
      expect(plugin.spans?.queued).toBeLessThanOrEqual(10);
    }
    await plugin.sink.flush();
    expect(plugin.spans).toMatchObject({ exported: 0, queued: 0, droppedFull: 1990, droppedFailed: 10 });
    expect(plugin.errors).toHaveLength(1);
    expect(plugin.errors[0]).toMatch(/^otlp: traces to 127\.0\.0\.1:\d+: \d+ spans given up: .*ECONNREFUSED/);
    // And the next ones are tried again.
    plugin.sink.record(tracedRecord());
    expect(plugin.spans?.queued).toBe(2);
  });

  it('gets the spans once it is there', async () => {
    const port = await deadPort();
    const plugin = exporter(`http://127.0.0.1:${port}`);
    plugin.sink.record(tracedRecord());
    await plugin.sink.flush();
    expect(plugin.spans?.droppedFailed).toBe(2);
    const collector = await startCollector({ port });
    undo.push(async () => collector.close());
    plugin.sink.record(tracedRecord());
    await plugin.sink.flush();
    expect(plugin.spans?.exported).toBe(2);
    expect(collector.spans).toHaveLength(2);
  });
});

describe('a collector that is slow', () => {
  it('is given its time, one batch after the other, while later spans are dropped', async () => {
    const collector = await collecting();
    collector.behaviour = 'silence';
    const plugin = exporter(collector.url);
    for (let i = 0; i < 20; i++) plugin.sink.record(tracedRecord());
    await collector.received(1);
    expect(plugin.spans).toMatchObject({ queued: 10, droppedFull: 30 });
    expect(collector.connections).toBe(1);
    await collector.received(3);
    collector.behaviour = 'ok';
    await plugin.sink.flush();
    expect(plugin.spans).toMatchObject({ exported: 0, queued: 0, droppedFailed: 10 });
    plugin.sink.record(tracedRecord());
    await plugin.sink.flush();
    expect(plugin.spans?.exported).toBe(2);
  });

  it('does not hold a batch for ever by answering byte by byte', async () => {
    const collector = await collecting();
    collector.behaviour = 'drip';
    const plugin = exporter(collector.url, { maxQueuedSpans: 2 });
    plugin.sink.record(tracedRecord());
    await collector.received(1);
    await plugin.sink.flush();
    expect(plugin.spans).toMatchObject({ queued: 0, droppedFailed: 2 });
    expect(plugin.spans?.lastError).toContain('did not finish its answer within 1200 ms');
    // What was given up does not go on in the background.
    await expect.poll(() => collector.connections).toBe(0);
    collector.behaviour = 'ok';
    plugin.sink.record(tracedRecord());
    await plugin.sink.flush();
    expect(plugin.spans?.exported).toBe(2);
  });

  it('holds up the end of a proxy for seconds at most', async () => {
    const collector = await collecting();
    collector.behaviour = 'silence';
    const plugin = exporter(collector.url, {}, { timeoutMs: 600_000 });
    plugin.sink.record(tracedRecord());
    await collector.received(1);
    const start = performance.now();
    await plugin.sink.close();
    expect(performance.now() - start).toBeLessThan(10_000);
    plugin.sink.record(tracedRecord());
    expect(plugin.spans).toMatchObject({ exported: 0, droppedFull: 2 });
  });
});

describe('a collector that refuses', () => {
  it('for now, is asked again', async () => {
    const collector = await collecting();
    collector.behaviour = 503;
    const plugin = exporter(collector.url, {}, { timeoutMs: 10_000 });
    plugin.sink.record(tracedRecord());
    await collector.received(1);
    collector.behaviour = 'ok';
    await plugin.sink.flush();
    expect(plugin.spans).toMatchObject({ exported: 2, droppedFailed: 0 });
    expect(collector.exports).toHaveLength(2);
  });

  it('is not asked again once the exporter was closed', async () => {
    const collector = await collecting();
    collector.behaviour = 503;
    const plugin = exporter(collector.url, {}, { timeoutMs: 10_000 });
    plugin.sink.record(tracedRecord());
    await collector.received(1);
    await plugin.sink.close();
    const asked = collector.exports.length;
    collector.behaviour = 'ok';
    await expect.poll(() => plugin.spans?.queued, { timeout: 5_000 }).toBe(0);
    expect(plugin.spans).toMatchObject({ exported: 0, droppedFailed: 2 });
    expect(collector.exports).toHaveLength(asked);
  });

  it.each([400, 401, 'reset'] as const)('with %s, is believed or given up', async (behaviour) => {
    const collector = await collecting();
    collector.behaviour = behaviour;
    const plugin = exporter(collector.url);
    plugin.sink.record(tracedRecord());
    await plugin.sink.flush();
    expect(plugin.spans).toMatchObject({ exported: 0, queued: 0, droppedFailed: 2, failures: 1 });
  });
});

it('complains once a minute, however many exports fail', async () => {
  const collector = await collecting();
  collector.behaviour = 400;
  const plugin = exporter(collector.url);
  for (let i = 0; i < 3; i++) {
    plugin.sink.record(tracedRecord());
    await plugin.sink.flush();
  }
  expect(plugin.spans?.failures).toBe(3);
  expect(plugin.errors).toHaveLength(1);
});
