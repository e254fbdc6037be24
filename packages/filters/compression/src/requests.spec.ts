import { gunzipSync } from 'node:zlib';
import type { CompressionFilterConfig } from '@tulle/model';
import { runChain, type ChainRun, type TestRequest } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { compression, NOTE_REQUEST_COMPRESSED } from './index.ts';

const TEXT = 'hello '.repeat(1_000);

const GZIP: CompressionFilterConfig = { codings: ['gzip'], requests: {} };
const POST: TestRequest = { method: 'POST', body: TEXT };

async function send(
  request: TestRequest = POST,
  config: CompressionFilterConfig = GZIP,
  run: Partial<ChainRun> = {},
) {
  const result = await runChain({
    filters: [compression(config, { name: 'compression' })],
    request: {
      ...request,
      headers: { 'content-type': 'text/plain', ...(request.headers as Record<string, string> | undefined) },
    },
    offThreadMs: 2_000,
    ...run,
  });
  const [sent] = result.upstreamRequests;
  const bytes = Buffer.from(sent?.body ?? '', 'latin1');
  return { ...result, sent, bytes, coding: sent?.header('content-encoding') };
}

describe('a request', () => {
  it('is compressed by the first coding, and means the same', async () => {
    const { sent, bytes, coding, record, meter } = await send(POST, GZIP, { chunkBytes: 1_000 });
    expect(coding).toBe('gzip');
    expect(gunzipSync(bytes).toString()).toBe(TEXT);
    expect(bytes.length).toBeLessThan(TEXT.length / 10);
    expect([sent?.header('content-length'), sent?.header('transfer-encoding')]).toEqual([
      undefined,
      'chunked',
    ]);
    expect(record?.notes.join()).toContain([NOTE_REQUEST_COMPRESSED, 0].join());
    expect(meter.value('tulle_filter_compression_requests_total', { coding: 'gzip' })).toBe(1);
    expect(meter.value('tulle_filter_compression_active')).toBe(0);
  });

  it.each<[string, TestRequest, CompressionFilterConfig]>([
    ['coded already', { ...POST, headers: { 'content-encoding': 'br' } }, GZIP],
    ['of another type', { ...POST, headers: { 'content-type': 'image/png' } }, GZIP],
    ['short', { ...POST, body: 'short' }, GZIP],
    ['not to be changed', { ...POST, headers: { 'cache-control': 'no-transform' } }, GZIP],
    ['of a type that is not listed', POST, { ...GZIP, requests: { contentTypes: ['application/json'] } }],
    ['sent where responses alone are compressed', POST, { codings: ['gzip'] }],
  ])('passes as it is that is %s', async (_what, request, config) => {
    const { sent, coding } = await send(request, config);
    const own = (request.headers as Record<string, string> | undefined)?.['content-encoding'];
    expect([coding, sent?.body]).toEqual([own, request.body]);
    expect(sent?.header('content-length')).toBe(String(request.body?.length));
  });

  it('is compressed where responses are not', async () => {
    const { coding, response } = await send(
      { ...POST, headers: { 'accept-encoding': 'gzip' } },
      { ...GZIP, enabled: false },
      { upstream: () => ({ headers: { 'content-type': 'text/plain' }, body: TEXT }) },
    );
    expect([coding, response?.header('content-encoding'), response?.body]).toEqual(['gzip', undefined, TEXT]);
  });

  it('has no body, and nothing happens', async () => {
    const { response, coding } = await send({ method: 'GET' });
    expect([response?.status, coding]).toEqual([200, undefined]);
  });
});
