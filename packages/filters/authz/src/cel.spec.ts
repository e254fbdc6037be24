import type { AuthzExpression } from '@tulle/model';
import { type ChainRun, runChain } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { authz, connAuthz } from './index.ts';

type Action = 'ALLOW' | 'DENY';

/** Whether a request passes a policy. */
async function passes(
  action: Action,
  expression: AuthzExpression,
  run: Partial<ChainRun> = {},
): Promise<boolean> {
  const { response } = await runChain({
    filters: [authz({ policies: [{ name: 'p', action, rules: [{ expression }] }] })],
    ...run,
  });
  return response?.status === 200;
}

const X: Partial<ChainRun> = { request: { headers: [['x', '1']] } };

describe('a condition in CEL', () => {
  it.each<[string, Partial<ChainRun>, boolean]>([
    ['request.method == "GET" && request.url_path == "/a"', { request: { path: '/a?b' } }, true],
    ['request.query == "b"', { request: { path: '/a?b' } }, true],
    [
      'request.headers.x == "1,2"',
      {
        request: {
          headers: [
            ['x', '1'],
            ['X', '2'],
          ],
        },
      },
      true,
    ],
    ['request.headers[":method"] == "GET"', {}, true],
    ['request.headers.x == "2"', X, false],
    ['request.size == 0 && request.time > timestamp("2020-01-01T00:00:00Z")', {}, true],
    ['source.address != "" && destination.port > 0', {}, true],
    ['connection.mtls', {}, false],
    ['xds.cluster_name.matches("^.+$")', {}, true],
  ])('%s of %j: %s', async (cel, run, holds) => {
    expect(await passes('ALLOW', { cel }, run)).toBe(holds);
    expect(await passes('DENY', { cel }, run)).toBe(!holds);
  });

  it('asks for what was not sent: nobody fulfils it, as in Envoy', async () => {
    const cel = 'request.headers.x == "1"';
    expect(await passes('ALLOW', { cel })).toBe(false);
    expect(await passes('DENY', { cel })).toBe(true);
    expect(await passes('ALLOW', { not: { cel } })).toBe(false);
    expect(await passes('DENY', { not: { cel } })).toBe(true);
    expect(await passes('ALLOW', { not: { cel } }, { request: { headers: [['x', '2']] } })).toBe(true);
  });

  it.each(['request.headers.x > 1', '1 / request.size == 1', 'request.method'])(
    'that cannot be judged denies: %s',
    async (cel) => {
      for (const expression of [{ cel }, { not: { cel } }, { not: { not: { cel } } }]) {
        expect(await passes('ALLOW', expression, X)).toBe(false);
        expect(await passes('DENY', expression, X)).toBe(false);
      }
    },
  );

  it('is refused where it is wrong, at its place', async () => {
    const wrong = passes('ALLOW', { allOf: [{ any: true }, { cel: 'request.methd == "GET"' }] });
    await expect(wrong).rejects.toThrow(
      /\/policies\/0\/rules\/0\/expression\/allOf\/1\/cel column 8: nothing is known here of request\.methd; did you mean/,
    );
    await expect(passes('DENY', { cel: 'response.code == 200' })).rejects.toThrow(
      /nothing is known here of "response"/,
    );
  });

  it('may stand in a route alone', async () => {
    const config = {
      policies: [
        { name: 'r', action: 'DENY' as const, rules: [{ expression: { cel: 'request.method == "GET"' } }] },
      ],
    };
    const { response } = await runChain({
      filters: [authz({ policies: [] }, { name: 'authz' })],
      filterConfigs: { authz: config },
    });
    expect(response?.status).toBe(403);
  });

  it('judges connections by what there is of them', async () => {
    const connect = async (action: Action, cel: string): Promise<boolean> => {
      const { response } = await runChain({
        filters: [],
        connectionFilters: [connAuthz({ policies: [{ name: 'p', action, expression: { cel } }] })],
      });
      return response?.status === 200;
    };
    expect(await connect('ALLOW', 'destination.port > 0')).toBe(true);
    expect(await connect('DENY', 'destination.port > 0')).toBe(false);
    expect(await connect('DENY', 'source.port < "a"')).toBe(false);
    await expect(connect('ALLOW', 'request.method == "GET"')).rejects.toThrow(
      /nothing is known here of "request"/,
    );
  });
});
