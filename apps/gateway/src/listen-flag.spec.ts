import { describe, expect, it } from 'vitest';
import { parseListen } from './listen-flag.ts';

describe('--listen', () => {
  it('names an address for all ports, and other places for some', () => {
    expect(parseListen([])).toEqual({ address: '127.0.0.1', listen: new Map() });
    expect(parseListen(['443=8443', '::', '80=0', '81=[::1]:8081', '82=10.0.0.1:82'])).toEqual({
      address: '::',
      listen: new Map([
        [443, { host: '::', port: 8443 }],
        [80, { host: '::', port: 0 }],
        [81, { host: '::1', port: 8081 }],
        [82, { host: '10.0.0.1', port: 82 }],
      ]),
    });
  });

  it.each(['0=1', '1=70000', '443', 'a=b', '443=example.com:1', '443=1=2', ''])('refuses %j', (text) => {
    expect(() => parseListen([text])).toThrow(/--listen/);
  });

  it('refuses a port that is named twice', () => {
    expect(() => parseListen(['443=1', '443=2'])).toThrow(/twice/);
  });
});
