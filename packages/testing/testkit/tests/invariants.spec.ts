import { CONTINUE, defineHttpFilter, defineSlot, DELIVER, RETRY, type Verdict } from '@tulle/filter';
import { describe, expect, it } from 'vitest';
import { memoryTelemetry } from '../src/index.ts';
import { anything, filter, simple } from './support.ts';

describe('bytes (D1)', () => {
  it('that stand in the shared read buffer are copied before a caller that does not take them keeps them', async () => {
    const body = Array.from({ length: 30_000 }, (_, index) => String.fromCharCode(33 + (index % 90))).join(
      '',
    );
    // Head and body in one read, before the body has private buffers.
    const test = await simple({
      answer: () => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    });
    const slow = test.client();
    slow.connection.socket.incoming.capacityBytes = 100;
    slow.connection.pause();
    slow.send({});
    await test.clock.settle();
    // Others are read meanwhile into the same buffer.
    expect((await test.client().request()).body).toBe(body);
    slow.connection.resume();
    expect((await slow.response()).body).toBe(body);
  });
});

describe('a stream object (D2)', () => {
  it('whose hook is pending serves nobody else, so that a late continuation touches no other request', async () => {
    const waiting: ((verdict: Verdict) => void)[] = [];
    const test = await simple({
      handler: {
        filters: [
          filter('wait', { requestHeaders: () => new Promise((resolve) => void waiting.push(resolve)) })({}),
        ],
      },
    });
    const gone = test.client().send({ path: '/gone' });
    await test.clock.settle();
    gone.connection.close(true);
    await test.clock.settle();
    const next = test.client().send({ path: '/next' });
    await test.clock.settle();
    expect(waiting).toHaveLength(2);
    waiting[0]?.(CONTINUE);
    await test.clock.settle();
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(0);
    expect(test.meter.value('tulle_streams_dropped_total')).toBe(1);
    waiting[1]?.(CONTINUE);
    expect((await next.response()).body).toBe('GET /next');
  });

  it('takes no slot value along to its next request', async () => {
    const slot = defineSlot<string>('test.user');
    const seen: (string | undefined)[] = [];
    const test = await simple({
      handler: {
        filters: [
          filter('slots', {
            requestHeaders: (stream) => {
              seen.push(stream.get(slot));
              if (stream.request.path === '/login') stream.set(slot, 'alice');
              return CONTINUE;
            },
          })({}),
        ],
      },
    });
    const client = test.client();
    for (const path of ['/login', '/other', '/other']) await client.request({ path });
    expect(seen).toEqual([undefined, undefined, undefined]);
  });
});

describe('a response', () => {
  it('up to the close that breaks is reset: a plain end would look like the whole of it', async () => {
    const test = await simple({
      answer: () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    });
    const old = test.client().raw('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    await old.connection.take('half');
    test.upstream('10.0.0.1:80').connections[0]?.close(true);
    await old.connection.over();
    await test.clock.settle();
    expect(old.connection.fault?.kind).toBe('reset');
  });

  it('carries no field of the hop behind', async () => {
    const test = await simple({
      answer: () => ({
        headers: [
          ['connection', 'x-hop, keep-alive'],
          ['x-hop', 'secret'],
          ['keep-alive', 'timeout=5'],
          ['proxy-authenticate', 'Basic'],
          ['x-end', 'stays'],
        ],
        body: 'ok',
      }),
    });
    const response = await test.client().request();
    const names = response.headers.map(([name]) => name);
    expect(names).toContain('x-end');
    for (const name of ['x-hop', 'keep-alive', 'connection']) expect(names).not.toContain(name);
  });

  it('that is the last on its connection is followed by a moment of reading, lest a reset eat it', async () => {
    const test = await simple({ limits: { lingerMs: 800 } });
    const client = test.client();
    await client.request({ headers: { connection: 'close' } });
    client.connection.send('GET /late HTTP/1.1\r\nHost: a\r\n\r\n');
    await test.clock.advance(700);
    expect(test.proxy.stats.connections).toBe(1);
    expect(client.connection.fault).toBeUndefined();
    await test.clock.advance(200);
    expect(test.proxy.stats.connections).toBe(0);
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(1);
  });
});

describe('a drain', () => {
  it('asks callers to leave ever more often over its window', async () => {
    let draw = 0;
    const test = await simple({ random: () => draw });
    const [early, late] = [test.client(), test.client()];
    await early.request();
    await late.request();
    draw = 0.5;
    const drained = test.proxy.drain({ windowMs: 10_000 });
    await test.clock.advance(4_000);
    expect((await early.request()).header('connection')).toBeUndefined();
    await test.clock.advance(2_000);
    expect((await late.request()).header('connection')).toBe('close');
    await test.clock.advance(5_000);
    await drained;
  });
});

describe('a sink that throws', () => {
  it('harms no request, and keeps no record from the others', async () => {
    const after = memoryTelemetry();
    const test = await simple({
      telemetry: [
        {
          name: 'bad',
          sink: {
            name: 'bad',
            record() {
              throw new Error('no disk');
            },
          },
        },
        { name: 'after', ...(after.sink === undefined ? {} : { sink: after.sink }) },
      ],
    });
    const client = test.client();
    for (let i = 0; i < 3; i++) expect((await client.request()).status).toBe(200);
    expect(after.records).toHaveLength(3);
    expect(test.meter.value('tulle_sink_errors_total')).toBe(3);
    expect(test.meter.value('tulle_defects_total')).toBe(0);
    expect(test.proxy.stats.streams).toBe(0);
  });
});

describe('a retry', () => {
  it('for which no time is left is not begun: the answer that there is goes out at once', async () => {
    const test = await simple({
      answer: () => ({ status: 503, body: 'busy' }),
      forward: { requestTimeoutMs: 1_000 },
      handler: {
        filters: [
          filter(
            'slow',
            {
              attemptEnd: ({ attempt }) => {
                if (attempt.number > 1) return DELIVER;
                attempt.retryDelayMs = 1_500;
                return RETRY;
              },
            },
            { scope: 'attempt' },
          )({}),
        ],
      },
    });
    const response = await test.client().request();
    expect([response.status, response.body]).toEqual([503, 'busy']);
    expect(test.records[0]?.retryRefused).toBe('timeout');
  });
});

describe('a filter that is disposed', () => {
  it('hears of none of its timers any more', async () => {
    const fired: string[] = [];
    const timed = defineHttpFilter<object>({
      apiVersion: 1,
      id: 'timed',
      config: anything<object>(),
      create(host) {
        host.after(1_000, () => void fired.push('first'));
        host.after(5_000, () => void fired.push('late'));
        return { requestHeaders: () => CONTINUE };
      },
    });
    const test = await simple({ handler: { filters: [timed({})] } });
    await test.clock.advance(1_100);
    await test.proxy.update({ ...test.proxy.config, listeners: [] });
    await test.clock.advance(60_000);
    expect(fired).toEqual(['first']);
  });
});
