import type { WasmFilterConfig } from '@tulle/model';
import { runChain, type ChainRun, type TestRequest } from '@tulle/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildModule } from '../tests/build-module.ts';
import { wasm } from './index.ts';

let byHeader = '';
let older = '';
beforeAll(() => {
  byHeader = buildModule('by-header').toString('base64');
  older = buildModule('older').toString('base64');
}, 60_000);

/** A request whose fields are an object. */
type Fields = Omit<TestRequest, 'headers'> & { readonly headers?: Readonly<Record<string, string>> };

const run = async (
  what: string,
  { headers = {}, ...request }: Fields = {},
  { config, ...rest }: Partial<ChainRun> & { readonly config?: Partial<WasmFilterConfig> } = {},
) =>
  runChain({
    filters: [wasm({ module: { base64: byHeader }, rootId: 'by-header', ...config }, { name: 'wasm' })],
    request: { ...request, headers: { 'x-do': what, ...headers } },
    ...rest,
  });

describe('a module of ABI 0.2.1, made with an SDK', () => {
  it('sees and changes heads', async () => {
    const { response, upstreamRequests, log } = await run(
      'nothing',
      {},
      { config: { configuration: 'as said' } },
    );
    expect(upstreamRequests[0]?.header('x-wasm')).toMatch(/^seen \d+ end$/);
    expect(response?.header('x-wasm-response')).toBe('nothing');
    expect(log.lines.map(({ message }) => message)).toContain('[INFO]: configured as said');
  });

  it('counts the fields that it is told of, with those before the first', async () => {
    const { upstreamRequests } = await run('nothing', { headers: { 'x-one': '1', 'x-two': '2' } });
    const [, count] = /seen (\d+)/.exec(upstreamRequests[0]?.header('x-wasm') ?? '') ?? [];
    const [, more] =
      /seen (\d+)/.exec((await run('nothing')).upstreamRequests[0]?.header('x-wasm') ?? '') ?? [];
    expect(Number(count) - Number(more)).toBe(2);
  });

  it('moves a request', async () => {
    const { upstreamRequests } = await run('move', { headers: { 'x-gone': '1' } });
    expect([
      upstreamRequests[0]?.target,
      upstreamRequests[0]?.header('host'),
      upstreamRequests[0]?.header('x-gone'),
    ]).toEqual(['/other?x=1', 'other.example', undefined]);
  });

  it('answers the caller, and sees its answer pass', async () => {
    const { response, upstreamRequests, record } = await run('deny');
    expect([response?.status, response?.body, response?.header('x-why')]).toEqual([
      403,
      'go away',
      'mallory',
    ]);
    expect(response?.header('x-wasm-response')).toBe('deny');
    expect(upstreamRequests).toEqual([]);
    expect(record).toMatchObject({ code: 'TULLE_LOCAL_REPLY', details: 'not_today' });
  });

  it('gives callers of gRPC a status of theirs', async () => {
    const { response } = await run('deny', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc' },
    });
    expect([response?.status, response?.header('grpc-status')]).toEqual([200, '7']);
  });

  it('gives another status, or another answer than the service', async () => {
    expect((await run('status')).response?.status).toBe(418);
    const hidden = await run('hide');
    expect([hidden.response?.status, hidden.response?.body, hidden.upstreamRequests.length]).toEqual([
      502,
      'hidden',
      1,
    ]);
  });

  it('asks somebody, and lets the request go on or answers it', async () => {
    const upstream: ChainRun['upstream'] = ({ target, headers }) =>
      target !== '/check?a=b'
        ? { body: 'ok' }
        : { status: headers.some(([name]) => name === 'x-from') ? 200 : 500, body: 'somebody' };
    const allowed = await run('call', {}, { upstream });
    expect(allowed.upstreamRequests.map(({ method, target, body }) => [method, target, body])).toEqual([
      ['GET', '/', ''],
      ['POST', '/check?a=b', 'who?'],
    ]);
    expect(allowed.upstreamRequests[0]?.header('x-auth')).toBe('somebody');
    expect(allowed.upstreamRequests[1]?.header('host')).toBe('auth.example');
    const refused = await run('call', {}, { upstream: () => ({ status: 403 }) });
    expect([refused.response?.status, refused.record?.details]).toEqual([401, 'auth_403']);
    expect(refused.upstreamRequests).toHaveLength(1);
    const silent = await run('call', {}, { upstream: () => 'silence' });
    expect([silent.response?.status, silent.record?.details]).toEqual([401, 'auth_none']);
  });
});

describe('bodies', () => {
  it('are changed piece by piece, or whole', async () => {
    const chunks = { method: 'POST', chunks: ['one', 'two'] };
    expect((await run('pieces', chunks)).upstreamRequests[0]?.body).toMatch(/^\[ONE\](\[TWO\])(\[\])?$/);
    const whole = await run('whole', chunks);
    expect(whole.upstreamRequests[0]?.body).toBe('[ONETWO]');
    expect(whole.response?.body).toBe('<ok>');
    expect((await run('append', { method: 'POST', body: 'abc' })).upstreamRequests[0]?.body).toBe(
      'abc and more',
    );
  });

  it('are held back as far as the bound goes', async () => {
    const config = { maxBodyBytes: 4 };
    const { response, upstreamRequests } = await run(
      'whole',
      { method: 'POST', chunks: ['abc', 'def'] },
      { config },
    );
    expect([response?.status, upstreamRequests]).toEqual([413, []]);
  });

  it('may be the reason for an answer', async () => {
    const { response } = await run('late', { method: 'POST', body: 'abc' });
    expect([response?.status, response?.body]).toEqual([422, 'no']);
  });

  it('pass with their length where they are none of its business', async () => {
    const { upstreamRequests, response } = await run(
      'whole',
      { method: 'POST', body: 'abc' },
      { config: { bodies: 'none' } },
    );
    expect([upstreamRequests[0]?.body, upstreamRequests[0]?.header('content-length')]).toEqual(['abc', '3']);
    expect(response?.body).toBe('ok');
  });

  it('have trailers', async () => {
    const { upstreamRequests } = await run('nothing', {
      method: 'POST',
      headers: { te: 'trailers', connection: 'te' },
      chunks: ['abc'],
      trailers: { 'x-t': '0' },
    });
    expect(upstreamRequests[0]?.trailers).toContainEqual(['x-more', '1']);
  });
});

it('keeps metrics of its own', async () => {
  const { meter } = await run('count', {});
  const value = (name: string) => meter.value(`tulle_filter_wasm_${name}`, { filter: 'wasm' });
  expect([value('requests_seen_total'), value('level'), value('took_count'), value('took_sum')]).toEqual([
    2, 7, 2, 42,
  ]);
});

it.each([
  ['plugin_root_id', 'by-header'],
  ['plugin_name', 'wasm'],
  ['request/method', 'GET'],
  ['request/path', '/'],
  ['request/host', 'test.example'],
  ['cluster_name', 'service'],
])('knows %s', async (path, expected) => {
  const { upstreamRequests } = await run('property', { headers: { 'x-property': path } });
  expect(upstreamRequests[0]?.header('x-value')).toBe(expected);
});

describe('a module that ends', () => {
  it.each([['trap'], ['grow']])('by %s takes its streams with it, and no others', async (what) => {
    const { responses, record } = await run(
      '',
      {},
      {
        config: { maxMemoryBytes: 1_048_576 },
        request: [{ headers: { 'x-do': what } }, { headers: { 'x-do': 'nothing' } }],
      },
    );
    expect(responses.map(({ status }) => status)).toEqual([503, 503]);
    expect(record).toMatchObject({ code: 'TULLE_WASM_ERROR', details: 'wasm_fail_stream' });
  });

  it('is gone without, where that is allowed', async () => {
    const { response, upstreamRequests, meter } = await run(
      'trap',
      { method: 'POST', body: 'abc' },
      { config: { failureMode: 'allow' } },
    );
    expect([response?.status, upstreamRequests[0]?.body]).toEqual([200, 'abc']);
    expect(meter.value('tulle_filter_wasm_failure_mode_allowed_total', { filter: 'wasm' })).toBe(1);
  });
});

it('a module that refuses its configuration is said when the chain is built', async () => {
  await expect(run('', {}, { config: { configuration: 'refuse' } })).rejects.toThrow(
    'refuses its configuration',
  );
});

it('a module of ABI 0.2.0, made with another SDK, works as well', async () => {
  const { upstreamRequests, response } = await runChain({
    filters: [wasm({ module: { base64: older }, rootId: 'older', configuration: 'hello' })],
  });
  expect(upstreamRequests[0]?.header('x-older')).toBe('hello');
  expect(response?.header('x-older-response')).toBe('yes');
});
