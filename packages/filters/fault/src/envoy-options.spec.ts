import { CONTINUE, DYNAMIC_METADATA, defineHttpFilter } from '@tulle/filter';
import type { FaultFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, type TestRequest } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { fault } from './index.ts';

async function ask(config: FaultFilterConfig, request: TestRequest = {}) {
  const known: unknown[] = [];
  const knows = defineHttpFilter({
    apiVersion: 1,
    id: 'knows',
    config: jsonSchema<object>({ type: 'object' }),
    create: () => ({
      responseHeaders(stream) {
        known.push(stream.get(DYNAMIC_METADATA));
        return CONTINUE;
      },
    }),
  });
  const { response } = await runChain({
    filters: [knows({}), fault(config, { name: 'broken' })],
    request,
    // The caller's fields are taken off what comes from strangers.
    handler: { identityHeaders: 'keep' },
    random: () => 0.5,
  });
  return { response, known: known[0] };
}

describe('the words of an abort', () => {
  const asGrpc: TestRequest = { method: 'POST', headers: { 'content-type': 'application/grpc' }, body: 'x' };

  it('are the body of its answer, and the message of one to a gRPC call', async () => {
    const abort = { status: 503, body: 'on purpose: 100%' };
    expect((await ask({ abort })).response).toMatchObject({ status: 503, body: 'on purpose: 100%' });
    const { response } = await ask({ abort: { ...abort, grpcStatus: 8 } }, asGrpc);
    expect([response?.status, response?.header('grpc-status'), response?.header('grpc-message')]).toEqual([
      200,
      '8',
      'on purpose: 100%25',
    ]);
    expect((await ask({ abort: { status: 503 } })).response?.body).not.toContain('purpose');
  });

  it('are those of one that a request asks for, by either status', async () => {
    const byHeader = { abort: { body: 'as asked' } };
    const http = { headers: { 'x-envoy-fault-abort-request': '418' } };
    expect((await ask({ byHeader }, http)).response).toMatchObject({ status: 418, body: 'as asked' });
    const headers = { 'content-type': 'application/grpc', 'x-envoy-fault-abort-grpc-request': '5' };
    const { response } = await ask({ byHeader }, { ...asGrpc, headers });
    expect([response?.header('grpc-status'), response?.header('grpc-message')]).toEqual(['5', 'as asked']);
  });
});

describe('what is known of a request', () => {
  const metadata = { by: 'chance', n: { x: 1 } };
  it.each<[string, FaultFilterConfig, boolean]>([
    ['is aborted', { abort: { status: 503 } }, true],
    ['is delayed', { delay: { durationMs: 1 } }, true],
    ['is both', { delay: { durationMs: 1 }, abort: { status: 503 } }, true],
    [
      'is hit by neither',
      { delay: { durationMs: 1, percent: 10 }, abort: { status: 503, percent: 10 } },
      false,
    ],
    ['is only slowed down', { responseRate: { kibPerSecond: 1_000 } }, false],
    ['is spared, as others are hit', { abort: { status: 503 }, maxActiveFaults: 0 }, false],
    ['is not meant', { abort: { status: 503 }, headers: { 'x-fault': 'yes' } }, false],
  ])('that %s', async (_what, config, told) => {
    const { known } = await ask({ ...config, metadata });
    expect(known).toEqual(told ? { broken: metadata } : undefined);
  });

  it('is nothing where nothing is said', async () => {
    expect((await ask({ abort: { status: 503 } })).known).toBe(undefined);
  });
});
