import {
  pseudoHeader,
  setPseudoHeader,
  type Headers,
  type HttpStream,
  type MutableHeaders,
} from '@tulle/filter';
import type { Pairs } from './pairs.ts';

/** A map of the ABI. Names are lower case. */
export interface ReadableMap {
  /** Lines of one name are joined by commas, as the ABI has one value (Envoy does the same). */
  get(name: string): string | undefined;
  pairs(): string[];
}

/** One that may be changed. Changes say whether they are allowed. */
export interface FieldMap extends ReadableMap {
  set(name: string, value: string): boolean;
  add(name: string, value: string): boolean;
  remove(name: string): boolean;
  setAll(pairs: Pairs): boolean;
}

/** Framing is the engine's: what a guest says of it, as those do that change bodies, is neither needed nor an error. */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);
const REQUEST_PSEUDO = [':authority', ':path', ':method', ':scheme'] as const;

/** What came back from somebody that the guest called: to be read. */
export class ReadOnlyFields implements ReadableMap {
  readonly #headers: Headers;
  readonly #pseudo: Pairs;

  constructor(headers: Headers, pseudo: Pairs = []) {
    this.#headers = headers;
    this.#pseudo = pseudo;
  }

  get(name: string): string | undefined {
    const at = this.#pseudo.indexOf(name);
    return at >= 0 && at % 2 === 0 ? this.#pseudo[at + 1] : joined(this.#headers, name);
  }

  pairs(): string[] {
    return [...this.#pseudo, ...pairsOf(this.#headers)];
  }
}

/** Fields of a stream that may be changed, without pseudo-headers: trailers. */
export class ChangeableFields implements FieldMap {
  protected readonly headers: MutableHeaders;

  constructor(headers: MutableHeaders) {
    this.headers = headers;
  }

  get(name: string): string | undefined {
    return joined(this.headers, name);
  }

  pairs(): string[] {
    return pairsOf(this.headers);
  }

  set(name: string, value: string): boolean {
    return this.change(name, () => this.headers.set(name, value));
  }

  add(name: string, value: string): boolean {
    return this.change(name, () => this.headers.append(name, value));
  }

  remove(name: string): boolean {
    return this.change(name, () => void this.headers.remove(name));
  }

  setAll(pairs: Pairs): boolean {
    const names = new Set<string>();
    for (let index = 0; index < this.headers.length; index++) names.add(this.headers.name(index));
    let allowed = true;
    for (const name of names) this.remove(name);
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const [name, value] = [pairs[index] as string, pairs[index + 1] as string];
      // What was there and may not be changed is there still.
      if (!this.add(name, value) && !this.headers.getAll(name).includes(value)) allowed = false;
    }
    return allowed;
  }

  /** @returns false for what is no field, or none that a filter may change */
  protected change(name: string, edit: () => void): boolean {
    if (FRAMING.has(name)) return true;
    try {
      edit();
      return true;
    } catch {
      return false;
    }
  }
}

/** The head of a request, with what HTTP/2 has pseudo-headers for. */
export class RequestFields extends ChangeableFields {
  readonly #stream: HttpStream;

  constructor(stream: HttpStream) {
    super(stream.request.headers);
    this.#stream = stream;
  }

  override get(name: string): string | undefined {
    return pseudoHeader(this.#stream.request, name) ?? super.get(name);
  }

  override pairs(): string[] {
    const { request } = this.#stream;
    return [...REQUEST_PSEUDO.flatMap((name) => [name, pseudoHeader(request, name) ?? '']), ...super.pairs()];
  }

  override set(name: string, value: string): boolean {
    return isPseudo(name) ? this.#setPseudo(name, value) : super.set(name, value);
  }

  /** There is one of each. */
  override add(name: string, value: string): boolean {
    return isPseudo(name) ? this.set(name, value) : super.add(name, value);
  }

  override remove(name: string): boolean {
    // A request without them is none; a map that is set whole brings its own.
    return !isPseudo(name) && super.remove(name);
  }

  #setPseudo(name: string, value: string): boolean {
    const { request } = this.#stream;
    // That of the connection, which guests that set a map whole say again.
    if (name === ':scheme') return value === request.scheme;
    return setPseudoHeader(request, name, value);
  }
}

/** The head of a response, with its status. */
export class ResponseFields extends ChangeableFields {
  readonly #stream: HttpStream;

  constructor(stream: HttpStream) {
    super(stream.response.headers);
    this.#stream = stream;
  }

  override get(name: string): string | undefined {
    return name === ':status' ? String(this.#stream.response.status) : super.get(name);
  }

  override pairs(): string[] {
    return [':status', String(this.#stream.response.status), ...super.pairs()];
  }

  override set(name: string, value: string): boolean {
    if (name !== ':status') return super.set(name, value);
    if (!/^[2-5]\d\d$/.test(value)) return false;
    this.#stream.response.status = Number(value);
    return true;
  }

  override add(name: string, value: string): boolean {
    return name === ':status' ? this.set(name, value) : super.add(name, value);
  }
}

/** @returns `undefined` before there is a response */
export function responseFields(stream: HttpStream): ResponseFields | undefined {
  try {
    return new ResponseFields(stream);
  } catch {
    return undefined;
  }
}

function isPseudo(name: string): boolean {
  return name.startsWith(':') || name === 'host';
}

function joined(headers: Headers, name: string): string | undefined {
  if (!headers.has(name)) return undefined;
  const values = headers.getAll(name);
  return values.length === 1 ? values[0] : values.join(',');
}

function pairsOf(headers: Headers): string[] {
  const pairs: string[] = [];
  for (let index = 0; index < headers.length; index++) pairs.push(headers.name(index), headers.value(index));
  return pairs;
}
