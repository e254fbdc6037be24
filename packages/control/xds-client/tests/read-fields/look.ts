import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { createResourceDecoder, resourceTypes } from '../../src/decode/resource.ts';
import { type ResourceKind, TYPE_URLS } from '../../src/wire.ts';
import { Generator, randomFrom } from './generate.ts';
import { Recording } from './recording.ts';
import { seeds } from './seeds.ts';
import { isSuperseded } from './superseded.ts';
import { type Tries, variations } from './vary.ts';
import { waysFrom } from './way.ts';

/** What became of fields. */
export interface Looked {
  /** By {@link SetField.place}. */
  readonly places: ReadonlyMap<string, PlaceLooked>;
}

export interface PlaceLooked {
  readonly name: string;
  /** How many resources were taken that have it. */
  readonly taken: number;
  /** Whether anybody looked at it, in any resource. */
  readonly read: boolean;
}

/** Resources with nothing but chance in them, of each type that can stand in an `Any`. */
const BY_CHANCE = 4;

/** Reads resources of all kinds, each with fields added to it one at a time. Chance has a seed. */
export function lookAtEverything(): Looked {
  const places = new Map<string, PlaceLooked>();
  const look = (kind: ResourceKind, any: Any): boolean => {
    const recording = new Recording();
    const decoder = createResourceDecoder({}, recording.watch);
    const { ok } = decoder.decode(kind, any, { kind: 'ads' });
    for (const { path, name, place } of recording.set) {
      if (isSuperseded(path, recording.set)) continue;
      const known = places.get(place) ?? { name, taken: 0, read: false };
      places.set(place, {
        name,
        taken: known.taken + (ok ? 1 : 0),
        read: known.read || recording.read.has(path),
      });
    }
    return ok;
  };
  const random = randomFrom(1);
  const generator = new Generator(random, { to: '', through: new Set() });
  const tries: Tries = new Map();
  for (const { kind, any } of seeds()) {
    if (!look(kind, any)) continue;
    for (const other of variations(any, generator, random, tries)) look(kind, other);
  }
  for (const [kind, url] of Object.entries(TYPE_URLS) as [ResourceKind, string][]) {
    // What is discovered is opened only: it is read in the chain that it is put into.
    const desc = resourceTypes.getMessage(url.slice(url.lastIndexOf('/') + 1));
    if (kind === 'extension' || desc === undefined) continue;
    for (const way of waysFrom(desc).values())
      for (let seed = 1; seed <= BY_CHANCE; seed++)
        look(kind, anyPack(desc, new Generator(randomFrom(seed), way).message(desc)));
  }
  return { places };
}
