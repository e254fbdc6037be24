import type { FilterStateValue } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { runChain } from '@tulle/testkit';
import { stateFound } from '../tests/state-found.ts';
import { setFilterState } from './index.ts';

/** What is there behind filters with these values, for a request with these fields. */
const stateBehind = (
  filters: readonly (readonly FilterStateValue[])[],
  headers: Readonly<Record<string, string>> = {},
) =>
  stateFound({
    filters: filters.map((values, index) => setFilterState({ values }, { name: `s${index}` })),
    request: { headers },
  });

describe('a value', () => {
  it('is made of the request, and of what was put down before it', async () => {
    const values = [
      { key: 'tenant', format: '%REQ(x-tenant)%/%REQ(:method)%' },
      { key: 'both', format: '<%FILTER_STATE(tenant:PLAIN)%>' },
    ];
    expect(await stateBehind([values], { 'x-tenant': 'acme' })).toEqual({
      tenant: 'acme/GET',
      both: '<acme/GET>',
    });
  });

  it('has - for what is not there, or nothing, which may be skipped', async () => {
    const format = '%REQ(x-a)%';
    expect(await stateBehind([[{ key: 'a', format, skipIfEmpty: true }]])).toEqual({ a: '-' });
    expect(await stateBehind([[{ key: 'a', format, omitEmpty: true }]])).toEqual({ a: '' });
    expect(await stateBehind([[{ key: 'a', format, omitEmpty: true, skipIfEmpty: true }]])).toBeUndefined();
  });

  it('is replaced by a later one, unless it or that one is read-only', async () => {
    const one = { key: 'a', format: 'one' };
    const two = { key: 'a', format: 'two' };
    expect(await stateBehind([[one], [two]])).toEqual({ a: 'two' });
    expect(await stateBehind([[{ ...one, readOnly: true }], [two]])).toEqual({ a: 'one' });
    expect(await stateBehind([[one], [{ ...two, readOnly: true }]])).toEqual({ a: 'one' });
  });

  it('may have a key that means something to JavaScript', async () => {
    const values = ['__proto__', 'constructor'].map((key) => ({ key, format: 'x' }));
    const state = await stateBehind([values]);
    expect(Object.keys(state ?? {}).toSorted()).toEqual(['__proto__', 'constructor']);
  });

  it('that no format makes is refused by its place', async () => {
    await expect(stateBehind([[{ key: 'a', format: 'x %NO_SUCH%' }]])).rejects.toThrow(
      /values\/0\/format column 3: .*NO_SUCH/,
    );
  });
});

it('may have the route matched again, which asks for what was put down', async () => {
  const routes = ['acme', 'others'].map((name, index) => ({
    name,
    match: {
      path: { kind: 'prefix' as const, value: '/' },
      ...(name === 'acme' && {
        filterState: [{ key: 'tenant', match: { kind: 'exact' as const, value: 'acme' } }],
      }),
    },
    action: { kind: 'direct' as const, status: 210 + index },
  }));
  const status = async (rematch: boolean, tenant: string) => {
    const values = [{ key: 'tenant', format: '%REQ(x-tenant)%' }];
    const request = { headers: { 'x-tenant': tenant } };
    return (await runChain({ filters: [setFilterState({ values, rematch })], routes, request })).response
      ?.status;
  };
  expect([await status(true, 'acme'), await status(true, 'b'), await status(false, 'acme')]).toEqual([
    210, 211, 211,
  ]);
  // Where none fits before it, too.
  routes.pop();
  expect([await status(true, 'acme'), await status(true, 'b')]).toEqual([210, 404]);
});
