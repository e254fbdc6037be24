import type { AddressOrder } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { addressesInOrder, atAll } from './address-order.ts';

const at = (host: string): { host: string; port: number } => ({ host, port: 80 });

/** Hosts, first to last. */
function order(hosts: readonly string[], given?: AddressOrder): string[] {
  const [address = at(''), ...additionalAddresses] = hosts.map(at);
  return addressesInOrder({ address, additionalAddresses }, given).map((one) =>
    'host' in one ? one.host : '',
  );
}

describe('the order of addresses', () => {
  const mixed = ['1.1.1.1', '2.2.2.2', '3.3.3.3', '::1', '::2'];

  it('takes families in turn, that of the first address before the other', () => {
    expect(order(mixed)).toEqual(['1.1.1.1', '::1', '2.2.2.2', '::2', '3.3.3.3']);
    expect(order(['::1', '1.1.1.1', '::2', '::3'])).toEqual(['::1', '1.1.1.1', '::2', '::3']);
  });

  it('begins with the family that is said, where there is one', () => {
    expect(order(mixed, { first: 'v6' })).toEqual(['::1', '1.1.1.1', '::2', '2.2.2.2', '3.3.3.3']);
    expect(order(['1.1.1.1', '2.2.2.2'], { first: 'v6' })).toEqual(['1.1.1.1', '2.2.2.2']);
  });

  it('takes as many of the one at each turn as are said', () => {
    expect(order(mixed, { count: 2 })).toEqual(['1.1.1.1', '2.2.2.2', '::1', '3.3.3.3', '::2']);
    expect(order(mixed, { count: 4_294_967_295 })).toEqual(['1.1.1.1', '2.2.2.2', '3.3.3.3', '::1', '::2']);
  });

  it('is of one address where there is one', () => {
    expect(addressesInOrder({ address: { path: '/run/a' }, additionalAddresses: [at('1.1.1.1')] })).toEqual([
      { path: '/run/a' },
    ]);
    expect(addressesInOrder({ address: at('1.1.1.1') })).toEqual([at('1.1.1.1')]);
  });

  it('is that of a name', () => {
    const endpoint = { address: at('name'), weight: 2 };
    expect(atAll(endpoint, ['1.1.1.1'], 8)).toEqual({ address: { host: '1.1.1.1', port: 8 }, weight: 2 });
    expect(atAll(endpoint, ['1.1.1.1', '::1'], 8)).toMatchObject({
      additionalAddresses: [{ host: '::1', port: 8 }],
    });
    expect(atAll(endpoint, [], 8)).toBe(endpoint);
  });
});
