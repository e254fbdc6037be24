import { runChain, type ChainRun } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { buffer } from './index.ts';

const run = (rest: Partial<ChainRun>, maxRequestBytes = 8) =>
  runChain({ filters: [buffer({ maxRequestBytes }, { name: 'buffer' })], ...rest });

describe('a body', () => {
  it('reaches the service whole, with its length, however it came', async () => {
    const { response, upstreamRequests } = await run({
      request: { method: 'POST', chunks: ['abc', 'de'] },
      chunkBytes: 1,
    });
    expect(response?.status).toBe(200);
    expect(upstreamRequests[0]?.body).toBe('abcde');
  });

  it('of the largest size passes, and a larger one is refused before the service is asked', async () => {
    const fits = await run({ request: { method: 'POST', body: '12345678' } });
    expect(fits.response?.status).toBe(200);
    const larger = await run({ request: { method: 'POST', body: '123456789' } });
    expect(larger.response?.status).toBe(413);
    expect(larger.upstreamRequests).toEqual([]);
    const unsaid = await run({ request: { method: 'POST', chunks: ['12345', '6789'] } });
    expect(unsaid.response?.status).toBe(413);
    expect(unsaid.upstreamRequests).toEqual([]);
  });

  it('has the size that its route says, or any', async () => {
    const larger = { request: { method: 'POST', body: '123456789' } } as const;
    const wider = await run({ ...larger, filterConfigs: { buffer: { maxRequestBytes: 9 } } });
    expect(wider.response?.status).toBe(200);
    const off = await run({ ...larger, filterConfigs: { buffer: null } });
    expect(off.response?.status).toBe(200);
  });
});

it('leaves requests without a body alone', async () => {
  const { response, upstreamRequests } = await run({});
  expect(response?.status).toBe(200);
  expect(upstreamRequests).toHaveLength(1);
});
