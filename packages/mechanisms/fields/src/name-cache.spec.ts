import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findName, KNOWN_NAMES, knownNameId, nameIdOf, nameOf, TOKEN_LOWER } from './index.ts';

/** Looks `name` up between other bytes. */
function look(name: string): { handle: number; name: string; id: number } {
  const bytes = Buffer.from(`\xff\xff\xff${name}: \xff\xff\xff\xff\xff\xff\xff\xff`, 'latin1');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const handle = findName(bytes, view, 3, 3 + name.length);
  return handle < 0 ? { handle, name: '', id: 0 } : { handle, name: nameOf(handle), id: nameIdOf(handle) };
}

describe('looking up a field name', () => {
  it('finds every known name in any case, again and again', () => {
    for (let round = 0; round < 2; round++) {
      for (const [id, name] of KNOWN_NAMES.entries()) {
        if (id === 0) continue;
        expect(look(name)).toMatchObject({ name, id });
        expect(look(name.toUpperCase())).toMatchObject({ name, id });
      }
    }
    expect(knownNameId('host')).toBe(1);
    expect(knownNameId('x-unheard-of')).toBe(0);
  });

  it('numbers every known name once, all of them lower-case tokens', () => {
    expect(new Set(KNOWN_NAMES).size).toBe(KNOWN_NAMES.length);
    expect(KNOWN_NAMES.length).toBeLessThan(128);
    for (const name of KNOWN_NAMES.slice(1)) expect(name).toMatch(/^[a-z0-9-]+$/);
  });

  it('refuses names with an octet that is no token char, wherever it stands', () => {
    for (let octet = 0; octet < 256; octet++) {
      for (const size of [1, 2, 4, 5, 9, 41]) {
        for (const at of new Set([0, size >> 1, size - 1])) {
          const name = `${'a'.repeat(at)}${String.fromCharCode(octet)}${'a'.repeat(size - at - 1)}`;
          expect(look(name).handle >= 0, `${octet} at ${at} of ${size}`).toBe(TOKEN_LOWER[octet] !== 0);
        }
      }
    }
  });

  it('never takes one name for another, however many there are', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-zA-Z0-9_-]{1,45}$/),
      fc.constantFrom('accept', 'Accept-Encoding', 'accept-language'),
    );
    fc.assert(
      fc.property(fc.array(name, { minLength: 50, maxLength: 200 }), (names) => {
        for (const it of names)
          expect(look(it)).toMatchObject({ name: it.toLowerCase(), id: knownNameId(it.toLowerCase()) });
      }),
      { numRuns: 50 },
    );
    for (let i = 0; i < 5000; i++) expect(look(`X-Junk-${i}`).name).toBe(`x-junk-${i}`);
    for (const close of ['abcdefgh', 'abcdxfgh', 'abcdefghijkl', 'abcdEfghijkl', 'abcd-efgh', 'abcd_efgh'])
      expect(look(close).name).toBe(close.toLowerCase());
  });

  it('gives equal names one string object, so that comparing them is cheap', () => {
    expect(Object.is(look('X-Team').name, look('x-team').name)).toBe(true);
  });
});
