import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';

/** A field that is set somewhere in a resource. */
export interface SetField {
  /** Where, e.g. `filter_chains[0].filters`. */
  readonly path: string;
  /** Full name, e.g. `envoy.config.listener.v3.Listener.name`. */
  readonly name: string;
  /** Full names of the field that holds its message, and of itself; the latter alone at the top of what was opened. */
  readonly place: string;
}

/** Notes which fields of messages are set, and which of them whoever translates the messages looks at. */
export class Recording {
  readonly set: SetField[] = [];
  readonly read: Set<string> = new Set();

  /** The {@link Watch} of a decoder. */
  readonly watch = (desc: DescMessage, message: Message, path: string): Message => {
    this.#collect(desc, message, path, '');
    return this.#wrapMessage(desc, message, path) as Message;
  };

  #collect(desc: DescMessage, message: Message, path: string, above: string): void {
    for (const field of desc.fields) {
      const value = valueOf(field, message);
      if (!isSet(field, value)) continue;
      const here = path === '' ? field.name : `${path}.${field.name}`;
      const name = `${desc.typeName}.${field.name}`;
      this.set.push({ path: here, name, place: `${above} ${name}`.trim() });
      const child = field.message;
      if (!child || isLeaf(child)) continue;
      for (const [at, item] of itemsOf(field, value))
        if (isMessage(item)) this.#collect(child, item, `${here}${at}`, name);
    }
  }

  #wrapMessage(desc: DescMessage, message: Message, path: string): object {
    const byName = new Map<string, DescField>();
    for (const field of desc.fields) if (!field.oneof) byName.set(field.localName, field);
    return new Proxy(message, {
      get: (target, key, receiver) => {
        const value: unknown = Reflect.get(target, key, receiver);
        if (typeof key !== 'string') return value;
        const field = byName.get(key);
        if (field) {
          const here = path === '' ? field.name : `${path}.${field.name}`;
          this.read.add(here);
          return this.#wrapValue(field, value, here);
        }
        const group = desc.oneofs.find(({ localName }) => localName === key);
        return group && value !== undefined ? this.#wrapGroup(group.fields, value as object, path) : value;
      },
    });
  }

  /** A oneof: its member is read with its value, and by its mere name where the value says nothing. */
  #wrapGroup(fields: readonly DescField[], group: object, path: string): object {
    return new Proxy(group, {
      get: (target, key, receiver) => {
        const value: unknown = Reflect.get(target, key, receiver);
        const member = fields.find(({ localName }) => localName === (target as { case?: string }).case);
        if (!member || (key !== 'value' && key !== 'case')) return value;
        const here = path === '' ? member.name : `${path}.${member.name}`;
        if (key === 'value' || saysNothing(member)) this.read.add(here);
        return key === 'value' ? this.#wrapValue(member, value, here) : value;
      },
    });
  }

  #wrapValue(field: DescField, value: unknown, path: string): unknown {
    const child = field.message;
    if (!child || isLeaf(child)) return value;
    if (isMessage(value)) return this.#wrapMessage(child, value, path);
    if (typeof value !== 'object' || value === null || field.fieldKind === 'message') return value;
    return new Proxy(value, {
      get: (target, key, receiver) => {
        const item: unknown = Reflect.get(target, key, receiver);
        if (typeof key !== 'string' || !isMessage(item)) return item;
        const at = Array.isArray(target) ? `[${key}]` : `[${JSON.stringify(key)}]`;
        return this.#wrapMessage(child, item, `${path}${at}`);
      },
    });
  }
}

/** Whose inside is nobody's field: an `Any` is opened, and the others are values. */
function isLeaf({ typeName }: DescMessage): boolean {
  return /^(?:google\.(?:protobuf|api\.expr)|cel\.expr)\./.test(typeName);
}

function saysNothing(field: DescField): boolean {
  return field.message !== undefined && field.message.fields.length === 0;
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && '$typeName' in value;
}

function valueOf(field: DescField, message: Message): unknown {
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  if (!field.oneof) return fields[field.localName];
  const group = fields[field.oneof.localName] as { readonly case?: string; readonly value?: unknown };
  return group.case === field.localName ? group.value : undefined;
}

function isSet(field: DescField, value: unknown): boolean {
  if (value === undefined) return false;
  if (field.fieldKind === 'list') return (value as readonly unknown[]).length > 0;
  if (field.fieldKind === 'map') return Object.keys(value as object).length > 0;
  if (field.fieldKind === 'message' || field.oneof) return true;
  return !(
    value === 0 ||
    value === '' ||
    value === false ||
    value === 0n ||
    (value as Uint8Array).length === 0
  );
}

function itemsOf(field: DescField, value: unknown): readonly (readonly [at: string, item: unknown])[] {
  if (field.fieldKind === 'list')
    return (value as readonly unknown[]).map((item, index) => [`[${index}]`, item] as const);
  if (field.fieldKind === 'map')
    return Object.entries(value as object).map(([key, item]) => [`[${JSON.stringify(key)}]`, item] as const);
  return [['', value]];
}
