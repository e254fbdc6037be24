import type { HttpFilterUse } from '@tulle/filter';
import {
  AUTHZ_FILTER,
  BUFFER_FILTER,
  COMPRESSION_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  HEADERS_FILTER,
  RATE_LIMIT_FILTER,
} from '@tulle/model';
import { route } from '@tulle/proxy';
import { standardFilters } from '@tulle/standard';
import { runChain, type TestRequest, type TestResponse } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';

/** A standard filter by its id. */
function use(id: string, config: object): HttpFilterUse {
  const filter = standardFilters.find(({ definition }) => definition.id === id) as
    | ((config: object) => HttpFilterUse)
    | undefined;
  if (filter === undefined) throw new RangeError(`no standard filter is called ${id}`);
  return filter(config);
}

/** What requests are answered: of two paths that there are not, and of one that there is. */
async function answers(
  filters: readonly HttpFilterUse[],
  request: TestRequest = {},
): Promise<readonly TestResponse[]> {
  const { responses } = await runChain({
    filters,
    routes: [route('/there', 'service')],
    request: ['/none', '/other', '/there'].map((path) => ({ ...request, path })),
    // Compression is done by threads of Node's own.
    offThreadMs: 2_000,
  });
  return responses;
}

const statuses = async (filters: readonly HttpFilterUse[], request?: TestRequest): Promise<number[]> =>
  (await answers(filters, request)).map(({ status }) => status);

const denied = (): HttpFilterUse => use(AUTHZ_FILTER, { defaultAction: 'deny', policies: [] });
const packed = (): HttpFilterUse =>
  use(COMPRESSION_FILTER, { minBytes: 1, contentTypes: ['text/plain'], codings: ['gzip'] });

describe('a request that no route takes', () => {
  it('meets every filter of requests', () => {
    const left = standardFilters.flatMap(({ definition }) => {
      if (definition.kind === 'connection') return [];
      const { id, scope, stage, unrouted } = definition;
      return scope === 'attempt' || stage === 'before-route' || unrouted === true ? [] : [id];
    });
    // Envoy's global limit does not ask about them.
    expect(left).toEqual([GLOBAL_RATE_LIMIT_FILTER]);
  });

  it('is denied as one is that a route takes', async () => {
    expect(await statuses([denied()])).toEqual([403, 403, 403]);
  });

  it('costs tokens of the chain’s limit', async () => {
    const limits = [{ name: 'all', requests: 2, intervalMs: 60_000 }];
    expect(await statuses([use(RATE_LIMIT_FILTER, { limits })])).toEqual([404, 404, 429]);
  });

  it('fails on purpose, and is refused for its body', async () => {
    expect(await statuses([use(FAULT_FILTER, { abort: { status: 418 } })])).toEqual([418, 418, 418]);
    const large = { method: 'POST', body: 'too large' };
    expect(await statuses([use(BUFFER_FILTER, { maxRequestBytes: 4 })], large)).toEqual([413, 413, 413]);
  });

  it('has the answer that others have: edited, and compressed', async () => {
    const edits = use(HEADERS_FILTER, { response: { set: [{ name: 'x-frame-options', value: 'DENY' }] } });
    const [none] = await answers([edits, packed()], { headers: { 'accept-encoding': 'gzip' } });
    expect(['x-frame-options', 'content-encoding', 'vary'].map((name) => none?.header(name))).toEqual([
      'DENY',
      'gzip',
      'Accept-Encoding',
    ]);
  });
});

it('has no compressed answer where it was refused before compression saw it', async () => {
  const [none] = await answers([denied(), packed()], { headers: { 'accept-encoding': 'gzip' } });
  expect([none?.status, none?.header('content-encoding')]).toEqual([403, undefined]);
});
