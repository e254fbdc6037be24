import { CONTINUE, defineConnFilter, defineHttpFilter } from '@tulle/filter';
import { cluster, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { anything, filter, simple, started } from './support.ts';

/** What is not typed, or typed away: code in JavaScript does it. */
const untyped = (value: unknown): never => value as never;

describe('a promise where nobody may wait for one harms nobody, is counted and told', () => {
  it('from complete, and the state it may still touch is given to no other stream', async () => {
    const states = new Set<object>();
    const test = await simple({
      handler: {
        filters: [
          filter('late', {
            requestHeaders: (_stream, _config, state) => {
              states.add(state);
              return CONTINUE;
            },
            complete: untyped(async (stream: { requestId: string }) => {
              await Promise.resolve();
              return stream.requestId;
            }),
          })({}),
        ],
      },
    });
    for (let i = 0; i < 3; i++) expect((await test.client().request()).status).toBe(200);
    await test.clock.settle();
    expect(states.size).toBe(3);
    // Each once for the promise, and once for its touching a stream that is over.
    expect(test.meter.value('tulle_filter_errors_total', { filter: 'late' })).toBe(6);
    expect(test.log.lines.some(({ message }) => message.includes('late failed in complete'))).toBe(true);
  });

  it('from attemptEnd', async () => {
    const test = await simple({
      handler: {
        filters: [
          filter(
            'eager',
            { attemptEnd: untyped(() => Promise.reject(new Error('no policy'))) },
            { scope: 'attempt' },
          )({}),
        ],
      },
    });
    expect((await test.client().request()).status).toBe(200);
    await test.clock.settle();
    expect(test.meter.value('tulle_filter_errors_total', { filter: 'eager' })).toBe(2);
  });

  it('from a sink', async () => {
    const test = await simple({
      telemetry: [
        { name: 's', sink: { name: 's', record: untyped(() => Promise.reject(new Error('disk full'))) } },
      ],
    });
    expect((await test.client().request()).status).toBe(200);
    await test.clock.settle();
    expect(test.meter.value('tulle_sink_errors_total')).toBe(2);
    expect(test.log.lines.some(({ message }) => message.includes('disk full'))).toBe(true);
  });

  it("from a connection filter's close", async () => {
    const late = defineConnFilter<object>({
      apiVersion: 1,
      id: 'late',
      config: anything<object>(),
      create: () => ({ close: untyped(() => Promise.reject(new Error('too late'))) }),
    });
    const test = await started({
      listeners: [tcpListener({ port: 5432, cluster: 'db', filters: [late({})] })],
      clusters: [cluster('db', ['10.0.0.1:5432'])],
    });
    await test.connect().over();
    await test.clock.settle();
    expect(test.meter.value('tulle_filter_errors_total', { filter: 'late' })).toBe(2);
  });

  it('from a timer: that may start something, whose failure is told', async () => {
    const timed = defineHttpFilter<object>({
      apiVersion: 1,
      id: 'timed',
      config: anything<object>(),
      create: (host) => {
        host.after(100, () => Promise.reject(new Error('refresh failed')));
        return {};
      },
    });
    const test = await simple({ handler: { filters: [timed({})] } });
    await test.clock.advance(200);
    expect(test.log.lines.some(({ message }) => message.includes('refresh failed'))).toBe(true);
  });
});
