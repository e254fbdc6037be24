import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { CONTINUE, defineHttpFilter, type HttpFilterUse } from '@tulle/filter';
import type { CompressionCoding, CompressionFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, testProxy, type ChainRun, type TestRequest, type Upstream } from '@tulle/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compression, NOTE_COMPRESSED } from './index.ts';

const PAGE = '<p>hello</p>'.repeat(500);
const decoders: Readonly<Record<CompressionCoding, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes),
  br: (bytes) => brotliDecompressSync(bytes),
  zstd: (bytes) => zstdDecompressSync(bytes),
};

type AnswerObject = Exclude<Awaited<ReturnType<Upstream['answer']>>, string>;

async function ask(
  answer: AnswerObject = {},
  request: TestRequest = {},
  config: CompressionFilterConfig = {},
  run: Partial<ChainRun> = {},
) {
  const headers = {
    'accept-encoding': 'gzip, br, zstd',
    ...(request.headers as Record<string, string> | undefined),
  };
  const result = await runChain({
    filters: [compression(config, { name: 'compression' })],
    request: { ...request, headers },
    upstream: () => ({
      body: PAGE,
      ...answer,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        ...(answer.headers as Record<string, string> | undefined),
      },
    }),
    offThreadMs: 2_000,
    ...run,
  });
  const { response } = result;
  const coding = response?.header('content-encoding') as CompressionCoding | undefined;
  const bytes = Buffer.from(response?.body ?? '', 'latin1');
  const isCompressed = result.meter.value('tulle_filter_compression_responses_total') > 0;
  return {
    ...result,
    coding,
    bytes,
    text:
      isCompressed && coding !== undefined
        ? decoders[coding](bytes).toString('latin1')
        : bytes.toString('latin1'),
  };
}

describe('a response', () => {
  it.each(['gzip', 'br', 'zstd'] as const)(
    'is compressed with %s for who takes that, and means the same',
    async (coding) => {
      const { response, bytes, text, record, meter } = await ask(
        { headers: { etag: '"v1"', 'accept-ranges': 'bytes', 'content-digest': 'sha-256=:x:' } },
        { headers: { 'accept-encoding': coding } },
      );
      expect(response?.header('content-encoding')).toBe(coding);
      expect(text).toBe(PAGE);
      expect(bytes.length).toBeLessThan(PAGE.length / 10);
      expect(response?.headerAll('vary')).toEqual(['Accept-Encoding']);
      expect(response?.header('etag')).toBe('W/"v1"');
      for (const name of ['content-length', 'accept-ranges', 'content-digest'])
        expect(response?.header(name), name).toBe(undefined);
      expect(record?.notes.join()).toContain(
        [NOTE_COMPRESSED, ['gzip', 'br', 'zstd'].indexOf(coding)].join(),
      );
      expect(meter.value('tulle_filter_compression_responses_total', { coding })).toBe(1);
      expect(meter.value('tulle_filter_compression_in_bytes_total', { coding })).toBe(PAGE.length);
      expect(meter.value('tulle_filter_compression_out_bytes_total', { coding })).toBe(bytes.length);
      expect(meter.value('tulle_filter_compression_active')).toBe(0);
    },
  );

  it('comes whole in whatever pieces the service sends it', async () => {
    for (const chunkBytes of [1, 7, 1_000]) {
      const { text, coding } = await ask(
        { chunks: ['<p>', 'hello', '\u00ff\u0000', 'x'.repeat(300)] },
        {},
        {},
        { chunkBytes },
      );
      expect([coding, text]).toEqual(['zstd', `<p>hello\u00ff\u0000${'x'.repeat(300)}`]);
    }
  });

  it('may be empty where its length was not known', async () => {
    expect(await ask({ chunks: [] })).toMatchObject({ coding: 'zstd', text: '' });
  });

  it('keeps its trailers', async () => {
    const { response, text } = await ask({ chunks: ['abc'], trailers: { 'x-sum': '6' } });
    expect([text, response?.trailers]).toEqual(['abc', [['x-sum', '6']]]);
  });

  it.each<[string, AnswerObject, TestRequest, CompressionFilterConfig, boolean]>([
    ['coded already', { headers: { 'content-encoding': 'gzip' } }, {}, {}, false],
    ['said to be coded as nothing', { headers: { 'content-encoding': 'identity' } }, {}, {}, false],
    ['not to be changed', { headers: { 'cache-control': 'public, no-transform' } }, {}, {}, false],
    ['not to be changed for this request', {}, { headers: { 'cache-control': 'no-transform' } }, {}, false],
    ['a part', { status: 206, headers: { 'content-range': 'bytes 0-1/9' } }, {}, {}, false],
    ['of another type', { headers: { 'content-type': 'image/png' } }, {}, {}, false],
    ['a stream of events', { headers: { 'content-type': 'text/event-stream' } }, {}, {}, false],
    ['gRPC', { headers: { 'content-type': 'application/grpc+proto' } }, {}, {}, false],
    ['of no type', { headers: { 'content-type': '' } }, {}, {}, false],
    ['short', { body: 'x'.repeat(1_023) }, {}, {}, false],
    ['of a type that was left out', {}, {}, { contentTypes: ['application/*'] }, false],
    ['not wanted so', {}, { headers: { 'accept-encoding': 'identity' } }, {}, true],
    [
      'wanted in a coding that was left out',
      {},
      { headers: { 'accept-encoding': 'br' } },
      { codings: ['gzip'] },
      true,
    ],
    ['the answer to HEAD', {}, { method: 'HEAD' }, {}, true],
    ['a probe of another site', {}, { headers: { 'sec-fetch-site': 'cross-site', cookie: 'a=1' } }, {}, true],
  ])(
    'that is %s passes as it is, with its length and validators',
    async (_what, answer, request, config, varies) => {
      const { response, meter } = await ask(
        { ...answer, headers: { etag: '"v1"', ...(answer.headers as Record<string, string> | undefined) } },
        request,
        config,
      );
      const sent = answer.body ?? PAGE;
      expect(response?.body).toBe(request.method === 'HEAD' ? '' : sent);
      expect(response?.header('content-length')).toBe(String(sent.length));
      expect(response?.header('etag')).toBe('"v1"');
      expect(response?.headerAll('vary')).toEqual(varies ? ['Accept-Encoding'] : []);
      expect(meter.value('tulle_filter_compression_responses_total')).toBe(0);
    },
  );

  it.each<[AnswerObject, TestRequest, CompressionFilterConfig]>([
    [{ headers: { 'content-type': 'application/problem+json' } }, {}, {}],
    [{ headers: { 'content-type': 'APPLICATION/JSON;charset=utf-8' } }, {}, {}],
    [{ headers: { 'content-type': 'image/png' } }, {}, { contentTypes: ['image/*'] }],
    [{ headers: { 'set-cookie': 'a=1' } }, {}, {}],
    [{ headers: { 'cache-control': 'x-no-transform-y, private' } }, {}, {}],
    [{ body: 'x' }, {}, { minBytes: 0 }],
    [{ status: 404 }, {}, {}],
    [{}, { headers: { 'sec-fetch-site': 'same-origin', cookie: 'a=1' } }, {}],
    [{}, { headers: { 'sec-fetch-site': 'cross-site' } }, {}],
  ])('%o to %o is compressed under %o', async (answer, request, config) => {
    expect((await ask(answer, request, config)).coding).toBe('zstd');
  });

  it.each([
    ['Origin', ['Origin', 'Accept-Encoding']],
    ['origin, ACCEPT-ENCODING', ['origin, ACCEPT-ENCODING']],
    ['*', ['*']],
  ])('keeps Vary: %s', async (vary, expected) => {
    expect((await ask({ headers: { vary } })).response?.headerAll('vary')).toEqual(expected);
  });

  it('that Tulle gives itself is treated likewise', async () => {
    const long: HttpFilterUse = defineHttpFilter({
      apiVersion: 1,
      id: 'long',
      config: jsonSchema<object>({ type: 'object' }),
      create: () => ({ requestHeaders: (stream) => stream.reply(403, 'X_NO', 'no '.repeat(1_000)) }),
    })({});
    const { response } = await runChain({
      filters: [compression({}), long],
      request: { headers: { 'accept-encoding': 'gzip' } },
      offThreadMs: 2_000,
    });
    expect(gunzipSync(Buffer.from(response?.body ?? '', 'latin1')).toString()).toBe('no '.repeat(1_000));
  });

  it('that another filter puts in its place is not taken for the one that was looked at', async () => {
    const replacing: HttpFilterUse = defineHttpFilter({
      apiVersion: 1,
      id: 'replacing',
      config: jsonSchema<object>({ type: 'object' }),
      create: () => ({ responseHeaders: (stream) => stream.reply(502, 'X_NO', 'replaced') }),
    })({});
    const { response, coding } = await ask({}, {}, {}, { filters: [replacing, compression({})] });
    expect([response?.status, coding, response?.body]).toEqual([502, undefined, 'replaced']);
  });

  it('may be configured on its route', async () => {
    const { coding } = await ask({}, {}, {}, { filterConfigs: { compression: { codings: ['gzip'] } } });
    expect(coding).toBe('gzip');
    expect((await ask({}, {}, {}, { filterConfigs: { compression: null } })).coding).toBe(undefined);
  });

  it('is the same after decoding, whatever it is and however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { maxLength: 6 }),
        fc.constantFrom<CompressionCoding>('gzip', 'br', 'zstd'),
        fc.integer({ min: 1, max: 500 }),
        async (pieces, coding, chunkBytes) => {
          const chunks = pieces.map((piece) => Buffer.from(piece).toString('latin1'));
          const { text } = await ask(
            { chunks },
            { headers: { 'accept-encoding': coding } },
            {},
            { chunkBytes },
          );
          expect(text).toBe(chunks.join(''));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('compressions under way', () => {
  it('are bounded, and end with their callers', async () => {
    const test = await testProxy({
      listeners: [
        {
          name: 'test',
          address: { host: '127.0.0.1', port: 8080 },
          filterChains: [
            {
              name: 'http',
              handler: {
                kind: 'http',
                filters: [compression({ maxActive: 1 })],
                routes: {
                  name: 'all',
                  virtualHosts: [
                    {
                      name: 'all',
                      domains: ['*'],
                      routes: [
                        {
                          name: 'all',
                          match: { path: { kind: 'prefix', value: '/' } },
                          action: { kind: 'forward', clusters: [{ name: 'service' }] },
                        },
                      ],
                    },
                  ],
                },
              },
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'service',
          discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
        },
      ],
      upstreams: {
        '10.0.0.1:80': ({ target }) =>
          target === '/slow'
            ? 'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'
            : { headers: { 'content-type': 'text/html' }, body: PAGE },
      },
    });
    const headers = { 'accept-encoding': 'gzip' };
    const slow = test.client();
    slow.send({ path: '/slow', headers });
    // What came so far can be read before the rest is there.
    await slow.connection.take(/content-encoding: gzip[^]*\r\n\r\n[\da-f]+\r\n[^]+\r\n/i);
    expect(test.meter.value('tulle_filter_compression_active')).toBe(1);
    const other = await test.client().request({ headers });
    expect([other.header('content-encoding'), other.body]).toEqual([undefined, PAGE]);
    expect(test.meter.value('tulle_filter_compression_overflow_total')).toBe(1);
    slow.connection.close(true);
    await test.clock.settle();
    expect(test.meter.value('tulle_filter_compression_active')).toBe(0);
    expect((await test.client().request({ headers })).header('content-encoding')).toBe('gzip');
    expect(test.meter.value('tulle_filter_errors_total')).toBe(0);
    await test.stop();
  });
});

it('a hook waits only where there is something to compress', async () => {
  const waited: boolean[] = [];
  const watched: HttpFilterUse = defineHttpFilter({
    ...compression.definition,
    async create(host, config) {
      const hooks = await compression.definition.create(host, config);
      return {
        ...hooks,
        responseHeaders(stream, inForce, state) {
          const result = hooks.responseHeaders?.(stream, inForce, state) ?? CONTINUE;
          waited.push(typeof result === 'object');
          return result;
        },
      };
    },
  })({});
  await ask({}, {}, {}, { filters: [watched] });
  expect(waited).toEqual([false]);
});

describe('as Envoy has it', () => {
  it('responses with an etag pass as they are where that is asked for', async () => {
    const etag = { headers: { etag: '"a"' } };
    expect((await ask(etag, {}, { skipEtag: true })).response?.header('content-encoding')).toBeUndefined();
    expect((await ask(etag, {}, {})).response?.header('content-encoding')).toBe('zstd');
  });

  it('the service does not hear which codings the caller takes, and the caller gets one', async () => {
    const { response, upstreamRequests } = await ask({}, {}, { hideAcceptEncoding: true });
    expect(upstreamRequests[0]?.header('accept-encoding')).toBeUndefined();
    expect(response?.header('content-encoding')).toBe('zstd');
  });

  it('nothing is compressed where it is off', async () => {
    expect((await ask({}, {}, { enabled: false })).response?.header('content-encoding')).toBeUndefined();
  });
});
