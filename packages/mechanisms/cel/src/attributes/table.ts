/** A value as JSON has it. */
export type CelJson =
  | string
  | number
  | boolean
  | null
  | readonly CelJson[]
  | { readonly [name: string]: CelJson };

/** A moment, in milliseconds since 1970. */
export class Moment {
  readonly epochMs: number;
  constructor(epochMs: number) {
    this.epochMs = epochMs;
  }
}

/** A stretch of time. */
export class Span {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

/** A whole number without a sign (`uint`); others are a `bigint` (`int`) or a `number` (`double`). */
export class Unsigned {
  readonly value: bigint;
  constructor(value: number) {
    this.value = BigInt(value);
  }
}

/** Values by names that nobody knows before, e.g. fields of a message. */
export class Lookup {
  readonly get: (name: string) => AttributeValue | undefined;
  constructor(get: (name: string) => AttributeValue | undefined) {
    this.get = get;
  }
}

/** What any filter may have said. */
export class Json {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

export type AttributeValue =
  | string
  | boolean
  | bigint
  | Uint8Array
  | Moment
  | Span
  | Unsigned
  | Lookup
  | Json;

/** Reads an attribute. @returns `undefined`: it is not there (yet) */
export type Attribute<T> = (subject: T) => AttributeValue | undefined;

/** Attributes by their root (`request`) and name (`path`); a root that is one attribute has names that nobody knows before. */
export type AttributeTable<T> = Readonly<
  Record<string, Attribute<T> | Readonly<Record<string, Attribute<T>>>>
>;
