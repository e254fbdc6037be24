import { loadRegexEngine } from '@tulle/match';
import type { QueryStep } from '@tulle/model';
import { runChain } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { headers } from './index.ts';

const value = (name: string, text: string) => ({ name, value: text });

describe('fields whose names match', () => {
  it('are removed, each with all its lines, and no others', async () => {
    await loadRegexEngine();
    const { upstreamRequests, response } = await runChain({
      filters: [
        headers({
          requestSteps: [
            { removeOnMatch: { kind: 'regex', value: 'x-(a|b).*' } },
            { add: value('x-a', 'new') },
          ],
          responseSteps: [{ removeOnMatch: { kind: 'prefix', value: '' } }],
        }),
      ],
      request: {
        headers: [
          ['x-a', '1'],
          ['y', '2'],
          ['x-b-more', '3'],
          ['X-A', '4'],
          ['x-c', '5'],
        ],
      },
      upstream: () => ({
        headers: [
          ['x-a', '1'],
          ['x-b', '2'],
        ],
        body: 'ok',
      }),
    });
    const [request] = upstreamRequests;
    expect(['x-a', 'x-b-more', 'x-c', 'y'].map((name) => request?.headerAll(name))).toEqual([
      ['new'],
      [],
      ['5'],
      ['2'],
    ]);
    expect([response?.header('x-a'), response?.header('x-b'), response?.body]).toEqual([
      undefined,
      undefined,
      'ok',
    ]);
  });
});

describe('a query', () => {
  it.each<[string, QueryStep[], string]>([
    ['/?a=1&b=2&a=3', [{ remove: 'a' }], '/?b=2'],
    ['/?a=1', [{ remove: 'a' }], '/'],
    ['/?%61=1&b', [{ remove: 'a' }], '/?b'],
    ['/?b=x%20y', [{ add: value('a&', 'c d') }], '/?b=x%20y&a%26=c%20d'],
    ['/', [{ add: value('a', '1') }, { add: value('a', '2') }], '/?a=1&a=2'],
    ['/?a=1&b=2&a=3', [{ set: value('a', '9') }], '/?a=9&b=2'],
    ['/?b=2', [{ set: value('a', '9') }], '/?b=2&a=9'],
    ['/?a=1&a=3', [{ setIfPresent: value('a', '9') }, { setIfPresent: value('c', '9') }], '/?a=9'],
    ['/?a=1', [{ addIfAbsent: value('a', '9') }, { addIfAbsent: value('c', '') }], '/?a=1&c='],
  ])('%s with %j is %s', async (path, querySteps, expected) => {
    const { upstreamRequests } = await runChain({ filters: [headers({ querySteps })], request: { path } });
    expect(upstreamRequests[0]?.target).toBe(expected);
  });
});

it('trailers are edited where there are any', async () => {
  const responseTrailerSteps = [{ remove: 'x-t' }, { add: value('x-u', '2') }];
  const trailersOf = async (trailers?: Record<string, string>) =>
    (
      await runChain({
        filters: [headers({ responseTrailerSteps })],
        upstream: () => ({ chunks: ['x'], ...(trailers && { trailers }) }),
      })
    ).response?.trailers;
  expect(await trailersOf({ 'x-t': '1', 'x-v': '3' })).toEqual([
    ['x-v', '3'],
    ['x-u', '2'],
  ]);
  expect(await trailersOf()).toEqual([]);
});
