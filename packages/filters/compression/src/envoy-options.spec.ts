import type { CompressionFilterConfig } from '@tulle/model';
import { runChain } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { compression } from './index.ts';

const PAGE = '<p>hello</p>'.repeat(500);

interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly chunks?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(
  config: CompressionFilterConfig,
  answer: Answer = {},
  headers: Readonly<Record<string, string>> = { 'accept-encoding': 'gzip' },
  method = 'GET',
) {
  const { response } = await runChain({
    filters: [compression({ codings: ['gzip'], ...config })],
    request: { headers, method },
    upstream: () => ({
      ...(answer.chunks === undefined && { body: PAGE }),
      ...answer,
      headers: { 'content-type': 'text/html', ...answer.headers },
    }),
    offThreadMs: 2_000,
  });
  const field = (name: string) => response?.headerAll(name).join('; ');
  return {
    coding: field('content-encoding'),
    etag: field('etag'),
    told: field('x-envoy-compression-status'),
  };
}

describe('an etag', () => {
  it.each([
    ['"v1"', 'W/"v1"', ''],
    ['W/"v1"', 'W/"v1"', 'W/"v1"'],
    ['v1', 'W/v1', ''],
  ])('%s of what is compressed becomes %s, or goes where that is said', async (etag, weak, left) => {
    expect(await ask({}, { headers: { etag } })).toMatchObject({ coding: 'gzip', etag: weak });
    expect(await ask({ removeEtag: true }, { headers: { etag } })).toMatchObject({
      coding: 'gzip',
      etag: left,
    });
  });

  it('stays where nothing is compressed', async () => {
    const answer = { headers: { etag: '"v1"' } };
    for (const [config, accepted] of [
      [{ removeEtag: true }, 'br'],
      [{ removeEtag: true, skipEtag: true }, 'gzip'],
      [{ removeEtag: true, skipStatuses: [200] }, 'gzip'],
    ] as const)
      expect(await ask(config, answer, { 'accept-encoding': accepted })).toEqual({
        coding: '',
        etag: '"v1"',
        told: '',
      });
  });
});

describe('a status', () => {
  it('that is listed passes as it is', async () => {
    const config = { skipStatuses: [404, 500] };
    for (const [status, coding] of [
      [404, ''],
      [500, ''],
      [403, 'gzip'],
      [200, 'gzip'],
    ] as const)
      expect((await ask(config, { status })).coding, String(status)).toBe(coding);
  });
});

describe('the caller is told', () => {
  const config: CompressionFilterConfig = { tellStatus: true, skipEtag: true, skipStatuses: [404] };

  it.each<[string, Answer, string]>([
    ['how long it was', {}, `gzip;Compressed;OriginalLength=${PAGE.length}`],
    ['that nobody knew how long', { chunks: [PAGE] }, 'gzip;Compressed;OriginalLength='],
    ['that it is short', { body: 'short' }, 'gzip;ContentLengthTooSmall'],
    [
      'that its type is left alone',
      { headers: { 'content-type': 'image/png' } },
      'gzip;ContentTypeNotAllowed',
    ],
    ['that it has an etag', { headers: { etag: '"v1"' } }, 'gzip;EtagNotAllowed'],
    ['that its status is left alone', { status: 404 }, 'gzip;StatusCodeNotAllowed'],
    [
      'the first of reasons',
      { status: 404, body: 'x', headers: { etag: '"v1"' } },
      'gzip;ContentLengthTooSmall',
    ],
    ['the next of reasons', { status: 404, headers: { etag: '"v1"' } }, 'gzip;EtagNotAllowed'],
    [
      'beside what an earlier one said',
      { headers: { 'x-envoy-compression-status': 'br;ContentLengthTooSmall' } },
      `br;ContentLengthTooSmall; gzip;Compressed;OriginalLength=${PAGE.length}`,
    ],
    ['nothing of what is coded already', { headers: { 'content-encoding': 'br' } }, ''],
    ['nothing of what must not be changed', { headers: { 'cache-control': 'no-transform' } }, ''],
    ['nothing of what has no body', { body: '' }, ''],
  ])('%s', async (_what, answer, told) => {
    expect((await ask(config, answer)).told).toBe(told);
  });

  it('nothing where the coding is not taken, or there is no body, but why it would not be compressed for anybody', async () => {
    expect((await ask(config, {}, { 'accept-encoding': 'br' })).told).toBe('');
    expect((await ask(config, { body: 'x' }, { 'accept-encoding': 'br' })).told).toBe(
      'gzip;ContentLengthTooSmall',
    );
    expect((await ask(config, { body: 'x' }, undefined, 'HEAD')).told).toBe('');
    expect((await ask({}, {})).told).toBe('');
  });
});
