import { type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { HONOURED } from '../../src/decode/honoured.ts';
import { resourceTypes } from '../../src/decode/resource.ts';
import type { Generator } from './generate.ts';

interface Place {
  readonly desc: DescMessage;
  readonly message: Message;
  /** Full name of the field that holds it. */
  readonly above: string;
  /** Writes it back into the `Any`s around it. */
  commit(): void;
}

/** What chance makes of a field once may be refused for its value. */
const ENOUGH = 5;

/** How often each field was set, by the field that holds its message. */
export type Tries = Map<string, number>;

/** The resource again and again, each time with one honoured field set, or another member of a group, anywhere in it. */
export function* variations(
  resource: Any,
  generator: Generator,
  random: () => number,
  tries: Tries,
): Iterable<Any> {
  const copy = { ...resource };
  const places: Place[] = [];
  open(copy, '', () => {}, places);
  const candidates = places.flatMap((place) => {
    const honoured = HONOURED[place.desc.typeName] ?? [];
    return place.desc.fields
      .filter(({ name }) => honoured.includes(name))
      .map((field) => ({ place, field, key: `${place.above} ${place.desc.typeName}.${field.name}` }));
  });
  for (const { place, field, key } of shuffled(candidates, random)) {
    const count = tries.get(key) ?? 0;
    if (count >= ENOUGH) continue;
    tries.set(key, count + 1);
    const value = generator.value(place.desc, field, place.above);
    if (value === undefined) continue;
    const target = place.message as unknown as Record<string, unknown>;
    const slot = field.oneof?.localName ?? field.localName;
    const before = target[slot];
    target[slot] = field.oneof ? { case: field.localName, value } : value;
    place.commit();
    yield { ...copy };
    target[slot] = before;
    place.commit();
  }
}

function shuffled<T>(list: readonly T[], random: () => number): readonly T[] {
  return list
    .map((item) => ({ item, at: random() }))
    .sort((left, right) => left.at - right.at)
    .map(({ item }) => item);
}

function open(any: Any, above: string, commit: () => void, places: Place[]): void {
  const desc = resourceTypes.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
  if (!desc) return;
  const message = fromBinary(desc, any.value);
  walk(
    desc,
    message,
    above,
    () => {
      any.value = toBinary(desc, message);
      commit();
    },
    places,
  );
}

function walk(desc: DescMessage, message: Message, above: string, commit: () => void, places: Place[]): void {
  places.push({ desc, message, above, commit });
  for (const field of desc.fields) {
    if (!field.message) continue;
    const name = `${desc.typeName}.${field.name}`;
    for (const item of itemsOf(message, field.localName, field.oneof?.localName)) {
      if (typeof item !== 'object' || item === null || !('$typeName' in item)) continue;
      const { $typeName: typeName } = item as Message;
      // What stands in a TypedExtensionConfig depends on the field that holds it.
      const held = name.endsWith('TypedExtensionConfig.typed_config') ? above : name;
      if (typeName === 'google.protobuf.Any') open(item as Any, held, commit, places);
      else if (!typeName.startsWith('google.')) walk(field.message, item as Message, name, commit, places);
    }
  }
}

function itemsOf(message: Message, localName: string, group: string | undefined): readonly unknown[] {
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  if (group !== undefined) {
    const { case: name, value } = fields[group] as { readonly case?: string; readonly value?: unknown };
    return name === localName ? [value] : [];
  }
  const value = fields[localName];
  if (Array.isArray(value)) return value;
  if (typeof value !== 'object' || value === null) return [];
  return '$typeName' in value ? [value] : Object.values(value);
}
