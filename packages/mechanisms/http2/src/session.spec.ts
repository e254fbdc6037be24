import { describe, expect, it } from 'vitest';
import { bodyOf, fieldsOf, Pair, tableOf } from '../tests/carrier.ts';
import { H2_CANCEL, H2_NO_ERROR, H2_REFUSED_STREAM } from './index.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('a client and a server', () => {
  it('carry a request and its response, with fields, bodies and trailers', () => {
    const pair = new Pair({
      onServer: {
        onEnd(stream, trailers) {
          pair.server.writeInterim(stream, 103, tableOf('link:</a>; rel=preload'));
          pair.server.writeHead(stream, 200, tableOf('x-kind:answer', 'connection:close'), 5, false);
          pair.server.writeData(stream, bytes('hello'), 0, 5, false);
          pair.server.writeEnd(stream, trailers);
        },
      },
    });
    const stream = pair.request(
      'POST',
      '/a?b=1',
      tableOf('x-one:1', 'te:trailers', 'te:x', 'upgrade:h2c'),
      -1,
      false,
    );
    pair.client.writeData(stream, bytes('question'), 0, 8, false);
    pair.client.writeEnd(stream, tableOf('grpc-status:0', 'content-type:no'));
    pair.run();
    const asked = pair.serverLog.streams.get(1);
    expect(fieldsOf(asked?.head.fields as never)).toEqual(['x-one: 1', 'te: trailers', 'host: a.example']);
    expect([bodyOf(asked), asked?.trailers]).toEqual(['question', ['grpc-status: 0']]);
    const answered = pair.clientLog.streams.get(1);
    expect(fieldsOf(answered?.head.fields as never)).toEqual(['x-kind: answer', 'content-length: 5']);
    expect([bodyOf(answered), answered?.trailers, answered?.end]).toEqual([
      'hello',
      ['grpc-status: 0'],
      'closed',
    ]);
    expect(pair.clientLog.lines).toEqual([
      'settings',
      'settings ack',
      '1 interim 103',
      '1 head 200',
      '1 closed',
    ]);
    expect([pair.client.openStreams, pair.server.openStreams]).toEqual([0, 0]);
  });

  it('put END_STREAM on the last frame while it has not left, and else send an empty one', () => {
    const pair = new Pair();
    pair.run();
    const stream = pair.request('POST', '/', tableOf(), -1, false);
    pair.client.writeData(stream, bytes('abc'), 0, 3, false);
    pair.clientOutput.take();
    pair.client.writeEnd(stream, undefined);
    expect(pair.clientOutput.take().toString('hex')).toBe('000000000100000001');
    const other = pair.request('POST', '/', tableOf(), -1, false);
    pair.client.writeData(other, bytes('abc'), 0, 3, false);
    pair.client.writeEnd(other, undefined);
    expect(pair.clientOutput.take().subarray(-12).toString('hex')).toBe('000003000100000003616263');
  });

  it("put END_STREAM on no other stream's frame, and none on one that another's stands behind", () => {
    const pair = new Pair();
    pair.run();
    const one = pair.request('POST', '/', tableOf(), -1, false);
    const other = pair.request('POST', '/', tableOf(), -1, false);
    for (const stream of [one, other]) pair.client.writeData(stream, bytes('abc'), 0, 3, false);
    pair.clientOutput.take();
    for (const stream of [one, other]) pair.client.writeData(stream, bytes('abc'), 0, 3, false);
    pair.client.writeEnd(one, undefined);
    pair.client.writeEnd(other, undefined);
    expect(pair.clientOutput.take().toString('hex')).toBe(
      ['000003000000000001616263', '000003000100000003616263', '000000000100000001'].join(''),
    );
  });

  it('end a request without a body in its head, though nobody said so at once', () => {
    const pair = new Pair();
    const stream = pair.request('POST', '/', tableOf(), -1, false);
    pair.client.writeEnd(stream, undefined);
    pair.run();
    expect(pair.serverLog.streams.get(1)?.ended).toBe(true);
    expect(pair.serverLog.lines).toContain('1 head POST /');
  });

  it('hold back what the windows do not allow, and say when there is room again', () => {
    const pair = new Pair({
      server: { streamWindowBytes: 1000, maxStreamWindowBytes: 1000 },
      client: { streamQueueBytes: 4000 },
    });
    pair.run();
    const stream = pair.request('POST', '/', tableOf(), -1, false);
    const body = Buffer.alloc(10_000, 'x');
    pair.client.writeData(stream, body, 0, body.length, true);
    pair.run();
    expect([stream.queuedBytes, stream.writable]).toEqual([9000, false]);
    const upstream = pair.serverLog.streams.get(1);
    expect(bodyOf(upstream).length).toBe(1000);
    for (let passed = 1000; bodyOf(upstream).length < 10_000; passed = bodyOf(upstream).length) {
      pair.server.consume(serverStream(pair, 1), 1000);
      pair.run();
      expect(bodyOf(upstream).length - passed).toBe(1000);
    }
    expect(stream.writable).toBe(true);
    expect(pair.clientLog.lines.filter((line) => line === '1 drain')).toHaveLength(1);
  });

  it('give a stream more room while its owner takes what comes, as far as all may grow together', () => {
    const pair = new Pair({
      server: { streamWindowBytes: 1000, maxStreamWindowBytes: 4000, maxWindowGrowthBytes: 4000 },
    });
    pair.run();
    const windows = (): (number | undefined)[] =>
      [1, 3, 5].map((id) => pair.server.streams.get(id)?.windowBytes);
    const sent = [1, 3, 5].map((id) => {
      const stream = pair.request('POST', `/${id}`, tableOf(), -1, false);
      pair.client.writeData(stream, Buffer.alloc(100_000), 0, 100_000, true, true);
      return stream;
    });
    pair.run();
    const take = (id: number, bytes: number): void => {
      pair.server.consume(serverStream(pair, id), bytes);
      pair.run();
    };
    // Stream 5 is taken by nobody.
    expect(windows()).toEqual([1000, 1000, 1000]);
    take(1, 499);
    expect(windows()).toEqual([1000, 1000, 1000]);
    take(1, 1);
    expect(windows()).toEqual([2000, 1000, 1000]);
    take(1, 1000);
    take(3, 500);
    take(3, 1000);
    expect(windows()).toEqual([4000, 2000, 1000]);
    // What came and was not taken is what its window says, whatever was asked for.
    const held = (id: number, taken: number): number => bodyOf(pair.serverLog.streams.get(id)).length - taken;
    expect([held(1, 1500), held(3, 1500), held(5, 0)]).toEqual([4000, 2000, 1000]);
    // Who is over gives back what it had.
    pair.client.reset(sent[0] as (typeof sent)[number], 8);
    pair.run();
    take(3, 2000);
    expect(windows()).toEqual([undefined, 4000, 1000]);
  });

  it('let one stalled stream hold up no other', () => {
    const pair = new Pair({ server: { connectionWindowBytes: 65_535, streamWindowBytes: 65_535 } });
    pair.run();
    const stalled = pair.request('POST', '/stalled', tableOf(), -1, false);
    pair.client.writeData(stalled, Buffer.alloc(500_000), 0, 500_000, true);
    pair.run();
    expect(stalled.queuedBytes).toBe(500_000 - 65_535);
    const other = pair.request('POST', '/other', tableOf(), -1, false);
    pair.client.writeData(other, Buffer.alloc(60_000), 0, 60_000, true, true);
    pair.run();
    expect(pair.serverLog.streams.get(3)?.ended).toBe(true);
  });

  it('share the connection frame by frame', () => {
    const pair = new Pair({ client: { outputBytes: 1 } }); // heads fill the output, so bodies wait for it
    for (const id of [1, 3, 5]) {
      const stream = pair.request('POST', `/${id}`, tableOf(), -1, false);
      pair.client.writeData(stream, Buffer.alloc(20_000), 0, 20_000, true, true);
    }
    pair.clientOutput.take();
    const ids: number[] = [];
    for (;;) {
      pair.client.pump();
      const sent = pair.clientOutput.take();
      if (sent.length === 0) break;
      for (let at = 0; at < sent.length; at += 9 + sent.readUIntBE(at, 3))
        ids.push(sent.readUInt32BE(at + 5));
    }
    expect(ids).toEqual([1, 3, 5, 1, 3, 5]);
  });

  it('let a window go below zero and come back', () => {
    const pair = new Pair({ server: { streamWindowBytes: 65_535 } });
    pair.run();
    const stream = pair.request('POST', '/', tableOf(), -1, false);
    pair.client.writeData(stream, Buffer.alloc(60_000), 0, 60_000, true);
    pair.run();
    const settings = Buffer.from('000006040000000000000400000064', 'hex'); // INITIAL_WINDOW_SIZE 100
    pair.client.receive(settings, 0, settings.length, 0);
    expect(stream.sendWindow).toBe(100 - 60_000);
    pair.client.writeData(stream, Buffer.alloc(300), 0, 300, true);
    expect(stream.queuedBytes).toBe(300);
    const update = Buffer.from('00000408000000000100000000', 'hex');
    update.writeUInt32BE(60_000, 9);
    pair.client.receive(update, 0, update.length, 0);
    expect(stream.queuedBytes).toBe(200);
  });

  it('reset streams, and do not mind what was under way', () => {
    const pair = new Pair();
    const stream = pair.request('POST', '/', tableOf(), -1, false);
    pair.run();
    pair.server.writeHead(serverStream(pair, 1), 200, tableOf(), -1, false);
    pair.client.reset(stream, H2_CANCEL);
    pair.run();
    expect(pair.serverLog.streams.get(1)?.end).toBe('reset 8 peer');
    expect([pair.client.failed, pair.client.openStreams, pair.server.openStreams]).toEqual([false, 0, 0]);
  });

  it('answer before the request has ended, and stop the rest', () => {
    const pair = new Pair({
      onServer: {
        onHead(stream) {
          pair.server.writeHead(stream, 413, tableOf(), 0, true);
          pair.server.reset(stream, H2_NO_ERROR);
        },
      },
    });
    pair.request('POST', '/', tableOf(), -1, false);
    pair.run();
    expect(pair.clientLog.lines.slice(2)).toEqual(['1 head 413', '1 reset 0 peer']);
    expect(pair.clientLog.streams.get(1)?.ended).toBe(true);
  });

  it('refuse streams above the limit, provably unsent', () => {
    const pair = new Pair({ server: { maxConcurrentStreams: 2 } });
    for (let i = 0; i < 3; i++) pair.request(); // the limit is not known yet
    pair.run();
    expect(pair.clientLog.streams.get(5)?.end).toBe(`reset ${H2_REFUSED_STREAM} peer`);
    expect(pair.serverLog.streams.has(5)).toBe(false);
    expect([pair.client.canOpen, pair.client.maxConcurrentStreams]).toEqual([false, 2]);
    expect(() => pair.open()).toThrow(/canOpen/);
  });

  it('refuse a stream that the owner does not want', () => {
    const pair = new Pair({ onServer: { requestHead: () => undefined } });
    pair.request();
    pair.run();
    expect(pair.clientLog.streams.get(1)?.end).toBe(`reset ${H2_REFUSED_STREAM} peer`);
  });

  it('end gracefully: what was opened before the second GOAWAY is served, what came later is provably unsent', () => {
    const pair = new Pair();
    pair.request();
    pair.run();
    pair.server.goaway(H2_NO_ERROR, true);
    const late = pair.request(); // crosses the first GOAWAY
    pair.run();
    expect(pair.clientLog.lines.at(-1)).toBe('goaway 2147483647 0 ');
    expect([pair.client.canOpen, pair.client.closing]).toEqual([false, true]);
    pair.server.finishGoaway();
    pair.run();
    expect(pair.clientLog.lines.at(-1)).toBe('goaway 3 0 ');
    for (const id of [1, 3]) pair.server.writeHead(serverStream(pair, id), 204, tableOf(), -1, true);
    pair.run();
    expect(pair.clientLog.streams.get(late.id || 3)?.end).toBe('closed');
    expect(pair.client.openStreams).toBe(0);
  });

  it('give up streams above the last id of GOAWAY', () => {
    const pair = new Pair();
    pair.request();
    pair.run();
    pair.server.goaway(H2_NO_ERROR, false);
    pair.request();
    pair.run();
    expect(pair.clientLog.streams.get(3)?.end).toBe(`reset ${H2_REFUSED_STREAM} goaway`);
    expect(pair.clientLog.streams.get(1)?.end).toBe(undefined);
    expect(pair.serverLog.streams.has(3)).toBe(false);
  });

  it('answer pings', () => {
    const pair = new Pair();
    pair.client.ping(0xdeadbeef);
    pair.server.ping(1);
    pair.run();
    expect([pair.clientLog.lines.at(-1), pair.serverLog.lines.at(-1)]).toEqual(['pong 3735928559', 'pong 1']);
  });

  it('end every stream with the connection', () => {
    const pair = new Pair();
    const half = pair.request('POST', '/', tableOf(), -1, false);
    pair.request();
    pair.run();
    pair.server.peerEnded();
    expect([pair.serverLog.streams.get(1)?.end, pair.serverLog.streams.get(3)?.end]).toEqual([
      'reset 8 connection',
      undefined,
    ]);
    pair.client.abort();
    expect(pair.client.openStreams).toBe(0);
    pair.client.reset(half, 0);
    pair.client.writeEnd(half, undefined);
    expect(pair.clientOutput.take().length).toBe(0);
  });

  it('speak extended CONNECT where the server says so', () => {
    const pair = new Pair();
    const early = pair.open();
    const ask = (stream: typeof early): string | undefined =>
      pair.client.writeRequestHead(
        stream,
        'CONNECT',
        'https',
        'a.example',
        '/chat',
        tableOf(),
        -1,
        false,
        'websocket',
      )?.rule;
    expect(ask(early)).toBe('upgrade');
    pair.run();
    expect([pair.client.peerConnectProtocol, ask(pair.open())]).toEqual([true, undefined]);
    pair.run();
    expect(serverStream(pair, 3).protocol).toBe('websocket');
    expect(pair.serverLog.lines.at(-1)).toBe('3 head CONNECT /chat');
    pair.server.writeHead(serverStream(pair, 3), 200, tableOf(), -1, false);
    pair.server.writeData(serverStream(pair, 3), bytes('ping'), 0, 4, false);
    pair.run();
    expect(bodyOf(pair.clientLog.streams.get(3))).toBe('ping');
  });
});

function serverStream(pair: Pair, id: number): NonNullable<ReturnType<Pair['server']['streams']['get']>> {
  const stream = pair.server.streams.get(id);
  if (stream === undefined) throw new Error(`the server has no stream ${id}`);
  return stream;
}
