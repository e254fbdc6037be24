import type { FilterStateValue } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { stateFound } from '../tests/state-found.ts';
import { connSetFilterState } from './index.ts';

/** What a request finds on a connection behind filters with these values, when it has put `own` down itself. */
const stateOf = (
  filters: readonly (readonly FilterStateValue[])[],
  own: Readonly<Record<string, string>> = {},
) =>
  stateFound(
    {
      filters: [],
      connectionFilters: filters.map((values, index) =>
        connSetFilterState({ values }, { name: `s${index}` }),
      ),
      caller: { host: '192.0.2.7' },
    },
    own,
  );

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
