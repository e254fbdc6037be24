import { describe, expect, it } from 'vitest';
import { keepFields, readTlvs, type Tlv } from './proxied-fields.ts';

const tlv = (type: number, value: string | readonly number[]): Tlv => ({
  type,
  value: Buffer.from(value as string),
});

describe('fields of the PROXY protocol', () => {
  it('are read up to the end', () => {
    expect(readTlvs(Buffer.from('01000161020000', 'hex'))).toEqual([tlv(1, 'a'), tlv(2, '')]);
    for (const cut of ['01', '0100', '010001', '0100016102'])
      expect(readTlvs(Buffer.from(cut, 'hex'))).toBeUndefined();
  });

  it('are metadata by the last rule for their type, of several the first', () => {
    const kept = keepFields([tlv(1, 'one'), tlv(1, 'two'), tlv(2, 'b'), tlv(3, 'unasked')], {
      tlvs: [
        { type: 1, key: 'gone' },
        { type: 1, key: 'a' },
        { type: 2, key: 'b', namespace: 'own' },
      ],
    });
    expect(kept).toEqual({
      passed: [],
      metadata: { 'envoy.filters.listener.proxy_protocol': { a: 'one' }, own: { b: 'b' } },
      state: undefined,
    });
  });

  it('are filter state instead, of several the last', () => {
    const kept = keepFields([tlv(1, 'one'), tlv(1, 'two')], {
      tlvs: [{ type: 1, key: 'a', namespace: 'unused' }],
      tlvsKeptIn: 'filter-state',
    });
    expect(kept).toEqual({ passed: [], metadata: undefined, state: { a: 'two' } });
  });

  it('have ! for each byte that is no UTF-8, or are base64', () => {
    const text = (bytes: readonly number[], base64 = false): string | undefined =>
      keepFields([tlv(1, bytes)], {
        tlvs: [{ type: 1, key: 'a', base64 }],
        tlvsKeptIn: 'filter-state',
      }).state?.['a'];
    expect(text([0x41, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x42])).toBe('A!!(!!B');
    expect(text([0xe2, 0x82, 0xac, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98, 0x80])).toBe('€!!!!!😀');
    expect(text([0xef, 0xbf, 0xbd])).toBe('\u{fffd}');
    expect(text([0xff, 0x41], true)).toBe('/0E=');
  });

  it('go on as they came, where they may, past the bytes that they came in', () => {
    const bytes = Buffer.from('one');
    const tlvs = [{ type: 1, value: bytes }, tlv(2, 'two')];
    const some = keepFields(tlvs, { passesTlvs: [1] });
    bytes.fill(0);
    expect(some.passed).toEqual([tlv(1, 'one')]);
    expect(keepFields(tlvs, { passesTlvs: 'all' }).passed).toHaveLength(2);
    expect(keepFields(tlvs, {}).passed).toEqual([]);
  });
});
