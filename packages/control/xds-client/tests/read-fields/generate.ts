import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';
import { type Any, anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import { decodableTypes } from '../../src/decode/context.ts';
import { HONOURED } from '../../src/decode/honoured.ts';
import { candidatesFor } from './candidates.ts';
import type { Way } from './way.ts';

/** Deterministic numbers in [0, 1) (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** How deep messages hold others: past it only fields without others are set. */
const MAX_DEPTH = 16;

/** Makes messages that have honoured fields only, any of them, with values that need not make sense. */
export class Generator {
  readonly #random: () => number;
  readonly #way: Way;

  /** @param way to the message that most is set in; around it little is */
  constructor(random: () => number, way: Way) {
    this.#random = random;
    this.#way = way;
  }

  message(desc: DescMessage, depth = 0, above = '', inside = false): Message {
    const init: Record<string, unknown> = {};
    const within = inside || desc.typeName === this.#way.to;
    const honoured = new Set(HONOURED[desc.typeName] ?? []);
    const groups = new Set<string>();
    const fields = desc.fields.filter(({ name }) => honoured.has(name));
    for (const field of fields) {
      const wanted = !within && this.#way.through.has(`${desc.typeName}.${field.name}`);
      if (!wanted && this.#random() > (within ? 0.6 : 0.15) && !field.oneof) continue;
      let chosen = field;
      if (field.oneof) {
        if (groups.has(field.oneof.localName)) continue;
        groups.add(field.oneof.localName);
        const members = fields.filter(({ oneof }) => oneof === field.oneof);
        chosen =
          (within
            ? undefined
            : members.find(({ name }) => this.#way.through.has(`${desc.typeName}.${name}`))) ??
          this.#pick(members);
      }
      const value = this.#value(desc, chosen, depth, above, within);
      if (value === undefined) continue;
      if (chosen.oneof) init[chosen.oneof.localName] = { case: chosen.localName, value };
      else init[chosen.localName] = value;
    }
    return create(desc, init);
  }

  /** @param above full name of the field that holds the message */
  value(owner: DescMessage, field: DescField, above: string): unknown {
    return this.#value(owner, field, 10, above, false);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }

  #value(owner: DescMessage, field: DescField, depth: number, above: string, within: boolean): unknown {
    const name = `${owner.typeName}.${field.name}`;
    switch (field.fieldKind) {
      case 'scalar':
        return this.#scalar(field.scalar);
      case 'enum':
        return this.#enum(field.enum.values.map(({ number }) => number));
      case 'message':
        return boxed(field, this.#message(field.message, name, depth, above, within));
      case 'list':
        if (field.listKind === 'scalar') return [this.#scalar(field.scalar)];
        if (field.listKind === 'enum') return [this.#enum(field.enum.values.map(({ number }) => number))];
        return this.#listed(boxed(field, this.#message(field.message, name, depth, above, within)));
      case 'map': {
        const key = this.#pick(['a.key', 'envoy.lb', 'x']);
        if (field.mapKind === 'scalar') return { [key]: this.#scalar(field.scalar) };
        if (field.mapKind === 'enum') return undefined;
        const value = boxed(field, this.#message(field.message, name, depth, above, within));
        return value === undefined ? undefined : { [key]: value };
      }
    }
  }

  #listed(value: unknown): unknown {
    return value === undefined ? undefined : [value];
  }

  #message(desc: DescMessage, name: string, depth: number, above: string, within: boolean): unknown {
    switch (desc.typeName) {
      case 'google.protobuf.Any':
        return this.#any(name, depth, above, within);
      case 'google.protobuf.Struct':
        return { 'a.key': 'text', tlsMode: 'istio' };
      case 'google.protobuf.Value':
        return create(desc, { kind: { case: 'numberValue', value: 3 } });
      case 'google.protobuf.Duration':
        return create(desc, { seconds: BigInt(1 + Math.floor(this.#random() * 9)) });
      case 'google.protobuf.BoolValue':
        return this.#random() < 0.5;
      case 'google.protobuf.StringValue':
        return this.#scalar(ScalarType.STRING);
      case 'google.protobuf.UInt64Value':
        return 4n;
      case 'google.protobuf.Int64Value':
        return 4n;
      case 'google.protobuf.BytesValue':
        return Uint8Array.of(1);
      case 'google.protobuf.FloatValue':
      case 'google.protobuf.Int32Value':
      case 'google.protobuf.UInt32Value':
      case 'google.protobuf.DoubleValue':
        return 1 + Math.floor(this.#random() * 99);
      default:
        if (/^(?:google|cel)\./.test(desc.typeName)) return create(desc);
        return depth >= MAX_DEPTH ? undefined : this.message(desc, depth + 1, name, within);
    }
  }

  #any(name: string, depth: number, above: string, within: boolean): Any | undefined {
    const candidates = candidatesFor(name, above);
    const wanted = within ? [] : candidates.filter((typeName) => this.#way.through.has(typeName));
    const desc = decodableTypes.getMessage(this.#pick(wanted.length > 0 ? wanted : candidates));
    if (!desc || (depth >= MAX_DEPTH - 3 && wanted.length === 0)) return undefined;
    switch (desc.typeName) {
      case 'google.protobuf.StringValue':
        return anyPack(desc, create(StringValueSchema, { value: 'text' }));
      case 'google.protobuf.BytesValue':
      case 'google.protobuf.Struct':
        return anyPack(desc, create(desc));
      default:
        return anyPack(desc, this.message(desc, depth + 1, '', within));
    }
  }

  #enum(numbers: readonly number[]): number {
    const others = numbers.filter((number) => number !== 0);
    return others.length > 0 ? this.#pick(others) : 0;
  }

  #scalar(kind: ScalarType): unknown {
    switch (kind) {
      case ScalarType.STRING:
        return this.#pick(['text', '/path', '10.0.0.1', 'http://a.test/x', '{"a":1}', 'spiffe://a.test/b']);
      case ScalarType.BOOL:
        return true;
      case ScalarType.BYTES:
        return Uint8Array.of(1, 2, 3);
      case ScalarType.INT64:
      case ScalarType.UINT64:
      case ScalarType.SINT64:
      case ScalarType.FIXED64:
      case ScalarType.SFIXED64:
        return BigInt(1 + Math.floor(this.#random() * 99));
      default:
        return 1 + Math.floor(this.#random() * 99);
    }
  }
}

/** Wrappers are plain values in fields of their own, and messages in lists, maps and groups. */
function boxed(field: DescField, value: unknown): unknown {
  const desc = field.message;
  const plain = field.fieldKind === 'message' && !field.oneof;
  if (plain || !desc || value === undefined || !/^google\.protobuf\.\w+Value$/.test(desc.typeName))
    return value;
  return create(desc, { value });
}
