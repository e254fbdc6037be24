import { type CelInput, celMap, celUint } from '@bufbuild/cel';
import { create } from '@bufbuild/protobuf';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import {
  type Attribute,
  type AttributeTable,
  type AttributeValue,
  Json,
  Lookup,
  Moment,
  Span,
  Unsigned,
} from './attributes/table.ts';

/** Names and values of one evaluation. Evaluating is synchronous, so one object serves all that follow one another. */
export interface Bound<T> {
  over(subject: T): Record<string, CelInput>;
  /** Streams are borrowed: nothing of one stays. */
  letGo(): void;
}

/** Makes what an expression reads attributes of, each when it is asked for. */
export function bind<T>(table: AttributeTable<T>): Bound<T> {
  const holder: { subject: T | undefined } = { subject: undefined };
  const values = Object.create(null) as Record<string, CelInput>;
  for (const [root, attributes] of Object.entries(table)) {
    if (typeof attributes === 'function') {
      Object.defineProperty(values, root, { get: () => read(attributes, holder) });
      continue;
    }
    const fields = celMap(
      new Reader((name) =>
        Object.hasOwn(attributes, name) ? read(attributes[name] as Attribute<T>, holder) : undefined,
      ),
    );
    Object.defineProperty(values, root, { value: fields });
  }
  return {
    over(subject) {
      holder.subject = subject;
      return values;
    },
    letGo() {
      holder.subject = undefined;
    },
  };
}

function read<T>(
  attribute: Attribute<T>,
  { subject }: { readonly subject: T | undefined },
): CelInput | undefined {
  const value = attribute(subject as T);
  return value === undefined ? undefined : inputOf(value);
}

function inputOf(value: AttributeValue): CelInput {
  if (value instanceof Lookup)
    return celMap(
      new Reader((name) => {
        const found = value.get(name);
        return found === undefined ? undefined : inputOf(found);
      }),
    );
  if (value instanceof Json) return jsonOf(value.value);
  if (value instanceof Moment) return create(TimestampSchema, wholeOf(value.epochMs));
  if (value instanceof Span) return create(DurationSchema, wholeOf(value.ms));
  if (value instanceof Unsigned) return celUint(value.value);
  return value;
}

/** In whole microseconds: clocks tell milliseconds with a fraction, and a part of a nanosecond cannot be written in these messages. */
function wholeOf(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  const micros = Math.round(ms * 1_000);
  const seconds = Math.trunc(micros / 1_000_000);
  return { seconds: BigInt(seconds), nanos: (micros - seconds * 1_000_000) * 1_000 };
}

function jsonOf(value: unknown): CelInput {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value === 'object' && value !== null)
    return celMap(
      new Map(
        Object.entries(value).flatMap(([key, one]): [string, CelInput][] =>
          one === undefined ? [] : [[key, jsonOf(one)]],
        ),
      ),
    );
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

/** A map that is asked by name alone: how many there are nobody knows. */
class Reader extends Map<string, CelInput> {
  readonly #read: (name: string) => CelInput | undefined;

  constructor(read: (name: string) => CelInput | undefined) {
    super();
    this.#read = read;
  }

  override get(name: unknown): CelInput | undefined {
    return typeof name === 'string' ? this.#read(name) : undefined;
  }

  override has(name: unknown): boolean {
    return this.get(name) !== undefined;
  }

  override get size(): number {
    throw new Error('these cannot be counted');
  }

  override keys(): never {
    throw new Error('these cannot be listed');
  }

  override entries(): never {
    return this.keys();
  }
}
