import { runChain } from '@tulle/testkit';
import { expect, it } from 'vitest';
import { sample } from './filter.ts';

const connectionFilters = [sample({ refuse: ['192.0.2.1'] })];

it('lets others connect', async () => {
  const { response } = await runChain({ filters: [], connectionFilters, caller: { host: '192.0.2.2' } });
  expect(response?.status).toBe(200);
});

it('closes connections from a refused address, and counts them', async () => {
  const { response, closed, upstreamRequests, meter } = await runChain({
    filters: [],
    connectionFilters,
    caller: { host: '192.0.2.1' },
  });
  expect(response).toBeUndefined();
  expect(closed).toBe(true);
  expect(upstreamRequests).toEqual([]);
  expect(meter.value('tulle_filter_sample_refused_total')).toBe(1);
});
