import { header, runChain } from '@tulle/testkit';
import { expect, it } from 'vitest';
import { sample } from './filter.ts';

const config = { header: 'x-sample', value: 'yes', refuse: ['/private'] };

it('marks what the service answers', async () => {
  const { response } = await runChain({ filters: [sample(config)], request: { path: '/' } });
  expect(response?.status).toBe(200);
  expect(response && header(response, 'x-sample')).toBe('yes');
});

it('refuses a path, and counts it', async () => {
  const { response, upstreamRequests, meter } = await runChain({
    filters: [sample(config)],
    request: { path: '/private' },
  });
  expect(response?.status).toBe(403);
  expect(upstreamRequests).toEqual([]);
  expect(meter.value('tulle_filter_sample_refused_total')).toBe(1);
});
