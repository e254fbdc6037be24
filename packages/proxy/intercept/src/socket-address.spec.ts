import { describe, expect, it } from 'vitest';
import { readDestination } from './socket-address.ts';

describe('a socket address of the kernel', () => {
  it('is read in the order of the network', () => {
    const four = Buffer.from('02001e610a0102ff0000000000000000', 'hex');
    const six = Buffer.from('0a0001bb0000000020010db800000000000000000000000100000000', 'hex');
    expect([readDestination(four, 4), readDestination(six, 6)]).toEqual([
      { host: '10.1.2.255', port: 7777 },
      { host: '2001:db8::1', port: 443 },
    ]);
  });
});
