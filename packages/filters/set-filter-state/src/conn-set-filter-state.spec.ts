import { CONTINUE, defineHttpFilter, FILTER_STATE, putFilterState } from '@tulle/filter';
import type { FilterStateValue } from '@tulle/model';
import { runChain } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { connSetFilterState } from './index.ts';

/** What a request finds on a connection behind filters with these values, when it has put `request` down itself. */
async function stateOf(
  filters: readonly (readonly FilterStateValue[])[],
  own: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>> | undefined> {
  let state: Readonly<Record<string, string>> | undefined;
  const looks = defineHttpFilter<object>({
    apiVersion: 1,
    id: 'looks',
    config: {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
      jsonSchema: {},
    },
    create: () => ({
      requestHeaders(stream) {
        for (const [key, value] of Object.entries(own)) putFilterState(stream, key, value);
        state = stream.get(FILTER_STATE);
        return CONTINUE;
      },
    }),
  });
  const { response } = await runChain({
    filters: [looks({})],
    connectionFilters: filters.map((values, index) => connSetFilterState({ values }, { name: `s${index}` })),
    caller: { host: '192.0.2.7' },
  });
  expect(response?.status).toBe(200);
  return state && { ...state };
}

describe('what is put down about a connection', () => {
  it('is made of what is known of it, and of what was put down before, and is found by its requests', async () => {
    const caller = { key: 'caller', format: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' };
    const both = { key: 'both', format: '<%FILTER_STATE(caller:PLAIN)%> %REQ(x-a)%' };
    expect(await stateOf([[caller, both]])).toEqual({ caller: '192.0.2.7', both: '<192.0.2.7> -' });
    expect(await stateOf([[caller], [both]])).toEqual({ caller: '192.0.2.7', both: '<192.0.2.7> -' });
  });

  it('is replaced by a later filter, unless it or that one is read-only', async () => {
    const one = { key: 'a', format: 'one' };
    const two = { key: 'a', format: 'two' };
    expect(await stateOf([[one], [two]])).toEqual({ a: 'two' });
    expect(await stateOf([[{ ...one, readOnly: true }], [two]])).toEqual({ a: 'one' });
    expect(await stateOf([[one], [{ ...two, readOnly: true }]])).toEqual({ a: 'one' });
  });

  it('is not replaced by a request, which may put down others', async () => {
    expect(await stateOf([[{ key: 'a', format: 'one' }]], { a: 'two', b: 'three' })).toEqual({
      a: 'one',
      b: 'three',
    });
  });

  it('may be no address where one is wanted, or nothing, and is not put down then', async () => {
    const address = {
      key: 'a',
      format: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
      kind: 'address' as const,
    };
    const none = { key: 'b', format: '%REQ(x-a)%', omitEmpty: true, skipIfEmpty: true };
    expect(await stateOf([[address, none]])).toBeUndefined();
  });
});
