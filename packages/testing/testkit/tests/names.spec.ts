import { cluster, httpListener, route } from '@tulle/proxy';
import type { ClusterDiscovery } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const BOTH = ['10.0.0.1', 'fd00::1'];

function named(
  discovery: Partial<Extract<ClusterDiscovery, { kind: 'dns' }>>,
  addresses: readonly string[] = BOTH,
  random?: () => number,
): Promise<TestProxy> {
  const { name } = cluster('api', []);
  return started({
    listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      {
        name,
        discovery: {
          kind: 'dns',
          use: 'all',
          endpoints: [{ address: { host: 'api.example', port: 80 } }],
          ...discovery,
        },
      },
    ],
    names: { 'api.example': addresses },
    ...(random && { random }),
    upstreams: {
      '10.0.0.1:80': () => ({ body: 'v4' }),
      '[fd00::1]:80': () => ({ body: 'v6' }),
    },
  });
}

async function answers(test: TestProxy): Promise<string[]> {
  const found = new Set<string>();
  for (let i = 0; i < 12; i++) found.add((await test.client().request()).body);
  return [...found].sort();
}

describe('names of a cluster', () => {
  it.each([
    [undefined, ['v4', 'v6']],
    ['v4', ['v4']],
    ['v6', ['v6']],
    ['v4-first', ['v4']],
    ['v6-first', ['v6']],
  ] as const)('are used by the addresses of family %s', async (family, wanted) => {
    expect(await answers(await named(family === undefined ? {} : { family }))).toEqual(wanted);
  });

  it('are used by the other family where there is none of the first', async () => {
    expect(await answers(await named({ family: 'v6-first' }, ['10.0.0.1']))).toEqual(['v4']);
    const test = await named({ family: 'v6' }, ['10.0.0.1']);
    expect((await test.client().request()).status).toBe(503);
    expect(test.log.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('none of the family v6'),
    );
  });

  it.each([
    [0, 10_000],
    [0.5, 11_000],
  ])('are asked for again with jitter: chance %f, after %i ms', async (chance, afterMs) => {
    const test = await named({ refreshMs: 10_000, jitterMs: 2_000 }, ['10.0.0.1'], () => chance);
    test.network.names.set('api.example', ['fd00::1']);
    await test.clock.advance(afterMs - 1);
    expect(await answers(test)).toEqual(['v4']);
    await test.clock.advance(1);
    expect(await answers(test)).toEqual(['v6']);
  });

  it('are asked for again sooner after a failure, as failureRefresh says', async () => {
    const test = await named({ refreshMs: 60_000, failureRefresh: { baseMs: 1_000, maxMs: 2_000 } });
    test.network.names.delete('api.example');
    await test.clock.advance(60_000); // fails
    test.network.names.set('api.example', ['fd00::1']);
    await test.clock.advance(1_000);
    expect(await answers(test)).toEqual(['v6']);
  });
});
