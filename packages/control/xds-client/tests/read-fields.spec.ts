import { beforeAll, describe, expect, it } from 'vitest';
import { HONOURED } from '../src/decode/honoured.ts';
import { lookAtEverything, type Looked } from './read-fields/look.ts';
import { WITHOUT_EFFECT } from './read-fields/without-effect.ts';

/** Once may be chance: a field may count only beside others. */
const SURE = 3;

describe('what is taken of a resource', () => {
  let looked: Looked;
  beforeAll(() => {
    looked = lookAtEverything();
  }, 120_000);

  it('is read: a field that is honoured is looked at where it is set, or its not being so is accounted for', () => {
    const silent = [...looked.places].flatMap(([place, { name, taken, read }]) =>
      read || taken < SURE || WITHOUT_EFFECT.has(name) || WITHOUT_EFFECT.has(place) ? [] : [place],
    );
    // A field that counts only beside others needs a resource with them in seeds.yaml.
    expect(silent.sort()).toEqual([]);
  });

  it('is tried: of all fields that are honoured, chance leaves out few', () => {
    const tried = new Set([...looked.places.values()].map(({ name }) => name));
    const left = honoured().filter((name) => !tried.has(name));
    expect(left.length / honoured().length, left.join('\n')).toBeLessThan(0.02);
  });

  it('is accounted for as what it is: a field without effect is honoured', () => {
    const known = new Set(honoured());
    const names = [...WITHOUT_EFFECT.keys()].map((entry) => entry.split(' ').at(-1)!);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });
});

function honoured(): readonly string[] {
  return Object.entries(HONOURED).flatMap(([type, fields]) => fields.map((field) => `${type}.${field}`));
}
