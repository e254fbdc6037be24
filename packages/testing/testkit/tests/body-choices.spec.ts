import { CONTINUE, type BodyNeed } from '@tulle/filter';
import { describe, expect, it } from 'vitest';
import { runChain, type Upstream } from '../src/index.ts';
import { filter, type TestHooks } from './support.ts';

/** Notes each piece that it gets, and makes capitals of it. */
function shouting(need: BodyNeed, more: Partial<TestHooks> = {}, wait = false) {
  const seen: (readonly [text: string, end: boolean])[] = [];
  const hook: TestHooks['requestData'] = (stream, _config, _state, bytes, end) => {
    const text = Buffer.from(bytes).toString();
    seen.push([text, end]);
    const say = (): typeof CONTINUE => {
      stream.emit(Buffer.from(text.toUpperCase()));
      return CONTINUE;
    };
    return wait ? Promise.resolve().then(say) : say();
  };
  const use = filter(
    'shouting',
    { requestData: hook, responseData: hook, ...more },
    { body: { request: need, response: need } },
  )({});
  return { seen, use };
}

const echo: Upstream['answer'] = ({ body }) => ({ chunks: [body.toLowerCase()] });

describe.each([false, true])('a hook that wants the beginning of a body (after a wait: %s)', (wait) => {
  it('gets it, and the rest passes behind what comes of it, in both directions', async () => {
    const { seen, use } = shouting({ buffer: 4, partial: true }, {}, wait);
    const { response, upstreamRequests } = await runChain({
      filters: [use],
      request: { method: 'POST', body: 'abcdefgh' },
      chunkBytes: 3,
      upstream: echo,
    });
    expect(upstreamRequests[0]?.body).toBe('ABCDefgh');
    expect(upstreamRequests[0]?.header('transfer-encoding')).toBe('chunked');
    expect(response?.body).toBe('ABCDefgh');
    expect(seen).toEqual([
      ['abcd', false],
      ['abcd', false],
    ]);
  });

  it('gets a body whole that is no larger, and knows that', async () => {
    const { seen, use } = shouting({ buffer: 4, partial: true }, {}, wait);
    const { response, upstreamRequests } = await runChain({
      filters: [use],
      request: { method: 'POST', body: 'abcd' },
      upstream: () => ({ chunks: ['ab', 'cd'] }),
    });
    expect(upstreamRequests[0]?.body).toBe('ABCD');
    expect(upstreamRequests[0]?.header('content-length')).toBe('4');
    expect([response?.body, response?.header('content-length')]).toEqual(['ABCD', '4']);
    expect(seen).toEqual([
      ['abcd', true],
      ['abcd', true],
    ]);
  });
});

it('a larger body keeps its length where its beginning was only looked at', async () => {
  const seen: string[] = [];
  const looks: TestHooks['requestData'] = (_stream, _config, _state, bytes) => {
    seen.push(Buffer.from(bytes).toString());
    return CONTINUE;
  };
  const { response, upstreamRequests } = await runChain({
    filters: [
      filter(
        'looks',
        { requestData: looks, responseData: looks },
        { body: { request: { buffer: 2, partial: true }, response: { buffer: 2, partial: true } } },
      )({}),
    ],
    request: { method: 'PUT', body: 'abcdef' },
    upstream: ({ body }) => ({ body, headers: { etag: '"1"' } }),
  });
  expect(seen).toEqual(['ab', 'ab']);
  expect([upstreamRequests[0]?.body, upstreamRequests[0]?.header('content-length')]).toEqual(['abcdef', '6']);
  expect([response?.body, response?.header('content-length'), response?.header('etag')]).toEqual([
    'abcdef',
    '6',
    '"1"',
  ]);
});

it('a filter that declared to collect takes pieces as they come where it chooses so', async () => {
  const { seen, use } = shouting(
    { buffer: 2 },
    {
      requestHeaders(stream) {
        stream.streamRequestBody();
        return CONTINUE;
      },
      responseHeaders(stream) {
        stream.streamResponseBody();
        return CONTINUE;
      },
    },
  );
  const { response, upstreamRequests } = await runChain({
    filters: [use],
    request: { method: 'POST', body: 'abcdef', headers: { etag: '"1"' } },
    upstream: () => ({ chunks: ['gh', 'ij'] }),
  });
  expect(upstreamRequests[0]?.body).toBe('ABCDEF');
  expect(upstreamRequests[0]?.header('transfer-encoding')).toBe('chunked');
  expect(response?.body).toBe('GHIJ');
  expect(seen.filter(([text]) => text !== '').every(([, end]) => !end)).toBe(true);
});

it('a collected body is replaced by an empty one', async () => {
  const { upstreamRequests } = await runChain({
    filters: [
      filter(
        'empties',
        {
          requestData(stream) {
            stream.emit(new Uint8Array());
            return CONTINUE;
          },
        },
        { body: { request: { buffer: 100 } } },
      )({}),
    ],
    request: { method: 'POST', body: 'secret' },
  });
  expect([upstreamRequests[0]?.body, upstreamRequests[0]?.header('content-length')]).toEqual(['', '0']);
});

describe('a filter that gives a stream up', () => {
  const gives = (
    hooks: (give: (stream: Parameters<NonNullable<TestHooks['requestHeaders']>>[0]) => 1) => TestHooks,
  ) =>
    filter(
      'gives',
      hooks((stream) => stream.abort('TULLE_UPSTREAM_PROTOCOL', 'given_up')),
      { body: { response: 'transform' } },
    )({});

  it('answers by the row of its error before the response has begun', async () => {
    const { response, record } = await runChain({ filters: [gives((give) => ({ requestHeaders: give }))] });
    expect(response?.status).toBe(502);
    expect(record).toMatchObject({ code: 'TULLE_UPSTREAM_PROTOCOL', details: 'given_up' });
  });

  it('breaks a response that has', async () => {
    let pieces = 0;
    const use = gives((give) => ({
      responseData(stream, _config, _state, bytes) {
        if (pieces++ > 0) return give(stream);
        stream.emit(bytes);
        return CONTINUE;
      },
    }));
    const { response, record, log } = await runChain({
      filters: [use],
      upstream: () => ({ chunks: ['one', 'two'] }),
      advanceMs: 100,
    });
    expect(response).toBeUndefined();
    expect(record).toMatchObject({ code: 'TULLE_UPSTREAM_PROTOCOL', details: 'given_up' });
    expect(log.lines.filter(({ message }) => message.includes('failed'))).toEqual([]);
  });
});
