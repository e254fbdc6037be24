import type { ServerHttp2Stream } from 'node:http2';
import { CONTINUE, defineHttpFilter, streamGrpc, type FilterHost, type GrpcStream } from '@tulle/filter';
import { httpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { fakeClock, grpcFrame, http2Upstream, memoryNetwork } from '../src/index.ts';
import { anything, started } from './support.ts';

/** A proxy with a filter that does nothing but lend its host, and a service that speaks HTTP/2. */
async function open(serve: (stream: ServerHttp2Stream) => void) {
  let host: FilterHost | undefined;
  const lends = defineHttpFilter({
    apiVersion: 1,
    id: 'lends',
    config: anything<object>(),
    effects: 'external',
    create(given) {
      host = given;
      return { requestHeaders: () => CONTINUE };
    },
  });
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const service = http2Upstream(network, '10.0.3.1:9000');
  service.onStream = serve;
  const cluster = (name: string, at: string, port: number) => ({
    name,
    pool: { protocol: 'http2' as const },
    discovery: { kind: 'static' as const, endpoints: [{ address: { host: at, port } }] },
  });
  const proxy = await started({
    clock,
    network,
    listeners: [httpListener({ name: 'l', host: '127.0.0.1', port: 8080, filters: [lends({})], routes: [] })],
    clusters: [cluster('talk', '10.0.3.1', 9000), cluster('nobody', '10.0.3.2', 9000)],
  });
  return { proxy, service, clock, host: host as unknown as FilterHost };
}

function call(host: FilterHost, more: { cluster?: string; maxMessageBytes?: number } = {}) {
  const heard: string[] = [];
  const stream: GrpcStream = streamGrpc(
    host,
    { cluster: 'talk', path: '/a.B/Talk', maxMessageBytes: 100, metadata: ['x-a', '1'], ...more },
    {
      message: (bytes) => heard.push(`message ${Buffer.from(bytes).toString()}`),
      over: (status, text) => heard.push(`over ${status} ${text}`.trimEnd()),
    },
  );
  return { heard, stream, say: (text: string) => stream.send(Buffer.from(text)) };
}

const framed = (text: string): Buffer => grpcFrame(Buffer.from(text));

/** Answers each message by itself, with `!`, in two pieces that break within the prefix; ends when its caller does. */
function echoing(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.on('data', (chunk: Buffer) => {
    const answer = framed(`${chunk.subarray(5).toString()}!`);
    stream.write(answer.subarray(0, 3));
    stream.write(answer.subarray(3));
  });
  stream.on('end', () => stream.end());
}

describe('a call of gRPC that lasts', () => {
  it('carries messages both ways, one by one, and ends when its caller does', async () => {
    const { host, clock, service } = await open(echoing);
    const { heard, stream, say } = call(host);
    say('one');
    await clock.advance(10);
    expect(heard).toEqual(['message one!']);
    say('two');
    await clock.advance(60_000);
    expect(heard).toEqual(['message one!', 'message two!']);
    expect(service.streams).toHaveLength(1);
    expect(service.streams[0]?.sentHeaders[':status']).toBe(200);
    stream.end();
    await clock.advance(10);
    expect(heard.at(-1)).toBe('over 0');
    say('three');
    stream.end();
    await clock.advance(10);
    expect(heard).toHaveLength(3);
  });

  it('is over at once where the service ends it, and says how', async () => {
    const { host, clock, proxy } = await open((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': '7', 'grpc-message': 'not%20you' }),
      );
      stream.end();
    });
    const { heard, say } = call(host);
    say('hello');
    await clock.advance(1);
    expect(heard).toEqual(['over 7 not you']);
    expect(proxy.meter.value('tulle_cluster_upstream_rq_active', { cluster: 'talk' })).toBe(0);
  });

  it.each([
    ['a status alone', { ':status': 200, 'grpc-status': '12' }, 'over 12'],
    ['an answer that is no gRPC', { ':status': 404 }, 'over 12 HTTP status 404'],
    ['no status', { ':status': 200 }, 'over 13 there is no grpc-status'],
  ] as const)('reads %s', async (_what, head, expected) => {
    const { host, clock } = await open((stream) => stream.respond(head, { endStream: true }));
    const { heard, say } = call(host);
    say('hello');
    await clock.advance(10);
    expect(heard).toEqual([expected]);
  });

  it('ends by a message that is larger than allowed, and the service hears of it', async () => {
    const closed: number[] = [];
    const { host, clock } = await open((stream) => {
      stream.respond({ ':status': 200 });
      stream.write(framed('x'.repeat(101)));
      stream.on('close', () => closed.push(stream.rstCode));
    });
    const { heard, say } = call(host);
    say('hello');
    await clock.advance(10);
    expect(heard).toEqual(['over 13 a message has 101 bytes, more than the 100 allowed']);
    expect(closed).toHaveLength(1);
  });

  it('fails where nobody is, or the service goes away in the middle', async () => {
    const { host, clock, service } = await open(echoing);
    const lost = call(host, { cluster: 'nobody' });
    lost.say('hello');
    const unknown = call(host, { cluster: 'unknown' });
    unknown.say('hello');
    await clock.advance(10_000);
    expect(lost.heard).toEqual([expect.stringMatching(/^over 14 TULLE_UPSTREAM_CONNECT/)]);
    expect(unknown.heard).toEqual([expect.stringMatching(/^over 14 TULLE_CLUSTER_NOT_FOUND/)]);
    const { heard, say } = call(host);
    say('one');
    await clock.advance(10);
    service.sessions.at(-1)?.destroy();
    await clock.advance(10);
    expect(heard).toEqual(['message one!', expect.stringMatching(/^over 14 TULLE_UPSTREAM_RESET/)]);
  });

  it('says nothing more once it is let go, and the service hears of it', async () => {
    const closed: number[] = [];
    const { host, clock } = await open((stream) => {
      echoing(stream);
      stream.on('close', () => closed.push(stream.rstCode));
    });
    const { heard, stream, say } = call(host);
    say('one');
    await clock.advance(10);
    stream.cancel();
    stream.cancel();
    await clock.advance(10);
    expect(heard).toEqual(['message one!']);
    expect(closed).toEqual([8]);
    const unused = call(host);
    unused.stream.cancel();
    unused.say('never');
    await clock.advance(10);
    expect(unused.heard).toEqual([]);
  });

  it('fails when its filter is disposed', async () => {
    const { host, clock, proxy } = await open(echoing);
    const { heard, say } = call(host);
    say('one');
    await clock.advance(10);
    await proxy.stop();
    expect(heard.at(-1)).toMatch(/^over 14 TULLE_DRAINING/);
  });

  it('tells who goes on sending that nobody takes it', async () => {
    const { host, clock } = await open((stream) => stream.respond({ ':status': 200 }));
    const { stream } = call(host);
    expect(stream.full).toBe(false);
    for (let i = 0; i < 40; i++) {
      stream.send(Buffer.alloc(65_536));
      await clock.advance(1);
    }
    expect(stream.full).toBe(true);
  });
});
