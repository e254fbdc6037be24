import { CONTINUE, defineHttpFilter } from '@tulle/filter';
import { runChain, type Answer, type ChainResult, type TestRequest } from '@tulle/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Base64Decoder } from './base64.ts';
import { formOf } from './content-type.ts';
import { grpcWeb } from './index.ts';

/** A frame of gRPC, as latin1 text. */
function frame(flag: number, text: string): string {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(text.length, 1);
  return head.toString('latin1') + text;
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');

/** Frames of an answer in text form, whose pieces are padded each for itself. */
function untext(body: string): string {
  const decoder = new Base64Decoder();
  const bytes = decoder.push(Buffer.from(body, 'latin1'));
  expect(decoder.complete).toBe(true);
  return bytes?.toString('latin1') ?? 'no base64';
}

const MESSAGE = frame(0, 'h\xe9llo');
const REPLIES = [frame(0, 'one'), frame(0, 'two\xff\x00')];
const TRAILERS = { 'grpc-status': '0', 'grpc-message': 'fine', 'x-more': 'yes' };
const TRAILER_FRAME = frame(0x80, 'grpc-status: 0\r\ngrpc-message: fine\r\nx-more: yes\r\n');

const streamed: Answer = {
  headers: { 'content-type': 'application/grpc+proto' },
  chunks: REPLIES,
  trailers: TRAILERS,
};

function call(type: string, body: string, headers: Record<string, string> = {}): TestRequest {
  return { method: 'POST', path: '/a.B/C', headers: { 'content-type': type, ...headers }, body };
}

const run = (
  request: TestRequest,
  answer: Answer = streamed,
  more: Partial<Parameters<typeof runChain>[0]> = {},
): Promise<ChainResult> =>
  runChain({ filters: [grpcWeb({})], request, upstream: () => answer, cluster: {}, ...more });

describe('a call of gRPC-Web', () => {
  it.each([
    ['application/grpc-web', 'application/grpc'],
    ['application/grpc-web+proto', 'application/grpc+proto'],
    ['application/grpc-web+json; charset=utf-8', 'application/grpc+json; charset=utf-8'],
  ])('of type %s becomes one of %s, its body as it was', async (web, grpc) => {
    const { response, upstreamRequests, record } = await run(call(web, MESSAGE));
    expect(upstreamRequests.map((request) => [request.header('content-type'), request.body])).toEqual([
      [grpc, MESSAGE],
    ]);
    expect(upstreamRequests[0]?.header('content-length')).toBe(String(MESSAGE.length));
    expect(response?.header('content-type')).toBe('application/grpc-web+proto');
    expect(response?.body).toBe(REPLIES.join('') + TRAILER_FRAME);
    expect(response?.trailers).toEqual([]);
    expect(record).toMatchObject({ grpcStatus: 0, requestMessages: 1, responseMessages: 2 });
  });

  it.each(['application/grpc-web-text', 'application/grpc-web-text+proto'])(
    'in text, of type %s, is decoded, and answered in text',
    async (type) => {
      for (const chunkBytes of [1, 2, 3, 7, 1_000]) {
        const { response, upstreamRequests } = await run(call(type, base64(MESSAGE)), streamed, {
          chunkBytes,
        });
        expect(upstreamRequests.map(({ body }) => body)).toEqual([MESSAGE]);
        expect(response?.header('content-type')).toBe('application/grpc-web-text+proto');
        expect(untext(response?.body ?? '')).toBe(REPLIES.join('') + TRAILER_FRAME);
      }
    },
  );

  it('is answered in the form that it accepts', async () => {
    const text = await run(
      call('application/grpc-web+proto', MESSAGE, { accept: 'application/grpc-web-text' }),
    );
    expect(untext(text.response?.body ?? '')).toBe(REPLIES.join('') + TRAILER_FRAME);
    const binary = await run(
      call('application/grpc-web-text', base64(MESSAGE), { accept: 'application/grpc-web+proto' }),
    );
    expect(binary.response?.body).toBe(REPLIES.join('') + TRAILER_FRAME);
    const any = await run(call('application/grpc-web-text', base64(MESSAGE), { accept: '*/*' }));
    expect(any.response?.header('content-type')).toBe('application/grpc-web-text+proto');
  });

  it('that is refused in the head keeps its status there, without a body', async () => {
    const { response, record } = await run(call('application/grpc-web', MESSAGE), {
      headers: { 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'gone' },
    });
    expect([response?.header('content-type'), response?.header('grpc-status'), response?.body]).toEqual([
      'application/grpc-web',
      '5',
      '',
    ]);
    expect(response?.header('content-length')).toBe('0');
    expect(record?.grpcStatus).toBe(5);
  });

  it('is refused by the proxy, also where it has no route, in the form of gRPC-Web', async () => {
    const deny = defineHttpFilter({
      apiVersion: 1,
      id: 'deny',
      config: {
        '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
        jsonSchema: {},
      },
      create: () => ({ requestHeaders: (stream) => stream.reply(403, 'TULLE_AUTHZ_DENIED', 'no') }),
    });
    const denied = await run(call('application/grpc-web-text', base64(MESSAGE)), streamed, {
      filters: [grpcWeb({}), deny({})],
    });
    const { response } = denied;
    expect([response?.status, response?.header('content-type'), response?.header('grpc-status')]).toEqual([
      200,
      'application/grpc-web-text',
      '7',
    ]);
    expect(response?.header('grpc-message')).toBe('no');
    const lost = await run(call('application/grpc-web', MESSAGE), streamed, { routes: [] });
    expect([lost.response?.header('content-type'), lost.response?.header('grpc-status')]).toEqual([
      'application/grpc-web',
      '12',
    ]);
  });

  it('matches routes for gRPC', async () => {
    const { upstreamRequests } = await run(call('application/grpc-web', MESSAGE), streamed, {
      routes: [
        {
          name: 'grpc',
          match: { path: { kind: 'exact', value: '/a.B/C' }, grpc: true },
          action: { kind: 'forward', clusters: [{ name: 'service' }] },
        },
      ],
    });
    expect(upstreamRequests).toHaveLength(1);
  });

  it.each(['abc', 'a=bc', '====', 'ab c', `${base64(MESSAGE)}x`])(
    'in text is refused where it is no base64: %s',
    async (body) => {
      const { response, record } = await run(call('application/grpc-web-text', body));
      expect([response?.status, response?.header('grpc-status')]).toEqual([200, '13']);
      expect(record?.code).toBe('TULLE_DOWNSTREAM_PROTOCOL');
    },
  );
});

describe('everything else', () => {
  it('passes untouched: other bodies, calls of gRPC, answers that are no gRPC', async () => {
    for (const type of ['application/json', 'application/grpc', 'application/grpc-webby']) {
      const { response, upstreamRequests } = await run(call(type, MESSAGE), {
        body: 'answer',
        headers: { etag: '"1"', 'content-type': 'application/grpc' },
      });
      expect([upstreamRequests[0]?.header('content-type'), upstreamRequests[0]?.body]).toEqual([
        type,
        MESSAGE,
      ]);
      expect(upstreamRequests[0]?.header('content-length')).toBe(String(MESSAGE.length));
      expect(['etag', 'content-length', 'content-type'].map((name) => response?.header(name))).toEqual([
        '"1"',
        '6',
        'application/grpc',
      ]);
    }
    const { response } = await run(call('application/grpc-web', MESSAGE), {
      status: 502,
      body: '<html>',
      headers: { 'content-type': 'text/html' },
    });
    expect([response?.status, response?.header('content-type'), response?.body]).toEqual([
      502,
      'text/html',
      '<html>',
    ]);
    const call3 = await run(call('application/grpc', MESSAGE));
    expect(call3.response?.body).toBe(REPLIES.join(''));
    expect(Object.fromEntries(call3.response?.trailers ?? [])).toEqual(TRAILERS);
  });

  it('keeps what it asked other filters to do with a body', async () => {
    const sizes: number[] = [];
    const count = defineHttpFilter({
      apiVersion: 1,
      id: 'count',
      config: {
        '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
        jsonSchema: {},
      },
      body: { request: { buffer: 1_000 } },
      create: () => ({
        requestData(_stream, _config, _state, bytes) {
          sizes.push(bytes.length);
          return CONTINUE;
        },
      }),
    });
    const { upstreamRequests } = await run(call('application/json', MESSAGE), streamed, {
      filters: [grpcWeb({}), count({})],
      chunkBytes: 4,
    });
    expect([sizes, upstreamRequests[0]?.body]).toEqual([[MESSAGE.length], MESSAGE]);
  });
});

it('tells forms by whole content types', () => {
  expect(
    [
      'application/grpc-web',
      'application/grpc-web-text;x=y',
      'application/grpc-web-texts',
      'application/grpc-webs',
      'application/grpc',
      '',
      undefined,
    ].map(formOf),
  ).toEqual([1, 2, 0, 0, 0, 0, 0]);
});

it('decodes base64 in any pieces, with padding wherever a piece of it ended', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.array(fc.nat(9)), (parts, cuts) => {
      const text = parts.map((part) => Buffer.from(part).toString('base64')).join('');
      const decoder = new Base64Decoder();
      const got: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, text.length]) {
        got.push(decoder.push(Buffer.from(text.slice(at, at + cut), 'latin1')) as Buffer);
        at += cut;
      }
      expect(Buffer.concat(got)).toEqual(Buffer.concat(parts));
      expect(decoder.complete).toBe(true);
    }),
  );
});
