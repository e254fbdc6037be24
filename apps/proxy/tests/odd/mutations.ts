import {
  clone,
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type Message,
  type Registry,
} from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';

/** One way in which a message is made odd. */
export interface Mutation {
  /** As Envoy's documentation writes it, e.g. `filter_chains[0].filters[0].typed_config.rds`. */
  readonly path: string;
  /** Message type, field and what is done to it: the same for every place where that can be done. */
  readonly what: string;
  /** @returns a changed copy */
  apply(): Message;
}

interface Step {
  /** Local name of the field, or `undefined` to open an `Any`. */
  readonly field?: string;
  readonly key?: number | string;
}

type Fields = Record<string, unknown>;

/** A place in a message. */
interface Place {
  readonly desc: DescMessage;
  readonly message: Message;
  readonly steps: readonly Step[];
  readonly path: string;
}

/** Every way in which a message can be made odd, in one field each; contents of `Any` are gone into. */
export function* mutations(desc: DescMessage, root: Message, registry: Registry): Generator<Mutation> {
  for (const place of places({ desc, message: root, steps: [], path: '' }, registry)) {
    for (const field of place.desc.fields) {
      for (const [name, change] of changesOf(field, place)) {
        yield {
          path: place.path === '' ? field.name : `${place.path}.${field.name}`,
          what: `${place.desc.typeName}.${field.name} ${name}`,
          apply() {
            const copy = clone(desc, root);
            changeAt(desc, copy, place.steps, registry, change);
            return copy;
          },
        };
      }
    }
  }
}

/** All messages in a message, itself first. */
function* places(place: Place, registry: Registry): Generator<Place> {
  const { desc, message, steps, path } = place;
  if (desc.typeName === 'google.protobuf.Any') {
    const inner = anyUnpack(message as Any, registry);
    const innerDesc = inner && registry.getMessage(inner.$typeName);
    if (inner && innerDesc)
      yield* places({ desc: innerDesc, message: inner, steps: [...steps, {}], path }, registry);
    yield place;
    return;
  }
  yield place;
  for (const field of desc.fields) {
    const dot = path === '' ? field.name : `${path}.${field.name}`;
    const value = valueOf(message, field);
    if (field.fieldKind === 'message' && isMessageValue(value)) {
      yield* places(
        { desc: field.message, message: value, steps: [...steps, { field: field.localName }], path: dot },
        registry,
      );
    } else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const [key, item] of (value as Message[]).entries())
        if (isMessageValue(item))
          yield* places(
            {
              desc: field.message,
              message: item,
              steps: [...steps, { field: field.localName, key }],
              path: `${dot}[${key}]`,
            },
            registry,
          );
    } else if (field.fieldKind === 'map' && field.mapKind === 'message') {
      for (const [key, item] of Object.entries(value as Record<string, Message>))
        if (isMessageValue(item))
          yield* places(
            {
              desc: field.message,
              message: item,
              steps: [...steps, { field: field.localName, key }],
              path: `${dot}[${JSON.stringify(key)}]`,
            },
            registry,
          );
    }
  }
}

/** Structs and wrappers are plain values here. */
function isMessageValue(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && '$typeName' in value;
}

function valueOf(message: Message, field: DescField): unknown {
  const fields = message as unknown as Fields;
  if (field.oneof === undefined) return fields[field.localName];
  const chosen = fields[field.oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

function setValue(message: Message, field: DescField, value: unknown): void {
  const fields = message as unknown as Fields;
  if (field.oneof === undefined) fields[field.localName] = value;
  else if (value === undefined) fields[field.oneof.localName] = { case: undefined };
  else fields[field.oneof.localName] = { case: field.localName, value };
}

function changeAt(
  desc: DescMessage,
  message: Message,
  steps: readonly Step[],
  registry: Registry,
  change: (message: Message) => void,
): void {
  const [step, ...rest] = steps;
  if (step === undefined) return change(message);
  if (step.field === undefined) {
    const any = message as Any;
    const inner = anyUnpack(any, registry) as Message;
    const innerDesc = registry.getMessage(inner.$typeName) as DescMessage;
    changeAt(innerDesc, inner, rest, registry, change);
    any.value = anyPack(innerDesc, inner as never).value;
    return;
  }
  const field = desc.fields.find(({ localName }) => localName === step.field) as DescField & {
    readonly message: DescMessage;
  };
  const value = valueOf(message, field);
  const child = step.key === undefined ? value : (value as Record<string | number, unknown>)[step.key];
  changeAt(field.message, child as Message, rest, registry, change);
}

type Change = readonly [name: string, change: (message: Message) => void];

const LONG = 'x'.repeat(70_000);

function changesOf(field: DescField, { desc, message }: Place): Change[] {
  const to = (name: string, value: unknown): Change => [name, (one) => setValue(one, field, value)];
  if (desc.typeName === 'google.protobuf.Any') {
    if (field.name === 'type_url')
      return [
        to('of another type', 'type.googleapis.com/envoy.config.core.v3.Locality'),
        to('of no type that anybody knows', 'type.googleapis.com/nobody.knows.v1.This'),
        to('of no type', ''),
      ];
    const { value } = message as Any;
    return [
      to('cut short', value.subarray(0, Math.max(1, value.length - 1))),
      to('no message', Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])),
      to('with bad UTF-8', Uint8Array.from([10, 2, 0xc3, 0x28])),
      to('with a field of nobody', Uint8Array.from([...value, 0xfa, 0xff, 0x01, 1, 120])),
    ];
  }
  const value = valueOf(message, field);
  switch (field.fieldKind) {
    case 'scalar':
      return scalarValues(field.scalar).map(([name, one]) => to(name, one));
    case 'enum':
      return [
        to('unknown', 9999),
        ...field.enum.values.filter(({ number }) => number !== value).map((one) => to(one.name, one.number)),
      ];
    case 'message':
      return messageChanges(field, value, to);
    case 'list':
      return listChanges(field, value as unknown[], to);
    case 'map':
      return mapChanges(field, value as Record<string, unknown>, to);
  }
}

function scalarValues(scalar: ScalarType): [string, unknown][] {
  switch (scalar) {
    case ScalarType.STRING:
      return [
        ['empty', ''],
        ['very long', LONG],
        ['with a line break', 'a\r\nb: c'],
        ['half an expression', '(*['],
        ['a word of every object', '__proto__'],
      ];
    case ScalarType.BYTES:
      return [
        ['empty', new Uint8Array()],
        ['no text', Uint8Array.from([0xc3, 0x28, 0])],
      ];
    case ScalarType.BOOL:
      return [
        ['true', true],
        ['false', false],
      ];
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return [
        ['no number', Number.NaN],
        ['without end', Number.POSITIVE_INFINITY],
        ['below zero', -1],
        ['zero', 0],
      ];
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return [
        ['below zero', -1n],
        ['largest', 2n ** 63n - 1n],
      ];
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return [
        ['zero', 0n],
        ['largest', 2n ** 64n - 1n],
      ];
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return [
        ['zero', 0],
        ['one', 1],
        ['largest', 2 ** 32 - 1],
      ];
    default:
      return [
        ['below zero', -1],
        ['largest', 2 ** 31 - 1],
      ];
  }
}

type To = (name: string, value: unknown) => Change;

function messageChanges(
  field: Extract<DescField, { fieldKind: 'message' }>,
  value: unknown,
  to: To,
): Change[] {
  const name = field.message.typeName;
  const gone = value === undefined ? [] : [to('gone', undefined)];
  if (name === 'google.protobuf.Duration')
    return [
      ...gone,
      to('below zero', create(field.message, { seconds: -1n })),
      to('zero', create(field.message, {})),
      to('longer than any', create(field.message, { seconds: 10n ** 17n })),
      to('with too many nanos', create(field.message, { nanos: 2_000_000_000 })),
    ];
  if (name === 'google.protobuf.Struct') {
    const odd = { a: null, __proto__x: [[[[[]]]]] };
    // It is a message in a Value alone.
    return [
      ...gone,
      to('odd', field.parent.typeName === 'google.protobuf.Value' ? fromJson(field.message, odd) : odd),
    ];
  }
  if (name === 'google.protobuf.Value')
    return [...gone, to('a list', fromJson(field.message, [1, 'two', null]))];
  if (name.endsWith('Value') && name.startsWith('google.protobuf.')) {
    const inner = field.message.fields[0];
    const values = inner?.fieldKind === 'scalar' ? scalarValues(inner.scalar) : [];
    // Alone a wrapper is its value here; as one of several it is a message.
    const wrap = (one: unknown): unknown =>
      field.oneof === undefined ? one : create(field.message, { value: one });
    return [...gone, ...values.map(([word, one]) => to(word, wrap(one)))];
  }
  return [...gone, to('empty', create(field.message))];
}

function listChanges(
  field: Extract<DescField, { fieldKind: 'list' }>,
  value: readonly unknown[],
  to: To,
): Change[] {
  const one = field.listKind === 'message' ? create(field.message) : undefined;
  const odd =
    field.listKind === 'message'
      ? [to('of something empty', [one])]
      : field.listKind === 'scalar'
        ? scalarValues(field.scalar).map(([name, item]) => to(`of something ${name}`, [item]))
        : [to('of something unknown', [9999])];
  if (value.length === 0) return odd;
  return [
    ...odd,
    to('empty', []),
    to('twice', [...value, ...value]),
    to(
      'a thousand times',
      Array.from({ length: 1000 }, () => value[0]),
    ),
  ];
}

function mapChanges(
  field: Extract<DescField, { fieldKind: 'map' }>,
  value: Readonly<Record<string, unknown>>,
  to: To,
): Change[] {
  const item =
    Object.values(value)[0] ??
    (field.mapKind === 'message'
      ? create(field.message)
      : field.mapKind === 'scalar'
        ? scalarValues(field.scalar)[0]?.[1]
        : 9999);
  return [
    to('of no name', { '': item }),
    to('of a word of every object', Object.fromEntries([['constructor', item]])),
    ...(Object.keys(value).length > 0 ? [to('empty', {})] : []),
  ];
}
