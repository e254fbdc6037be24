import type { CompileContext } from './compile-context.ts';
import { hostOf } from './host.ts';

/**
 * Finds what belongs to a host among domains (model `VirtualHost.domains`): exact, then the longest `*suffix`, then the
 * longest `prefix*`, then `*`; of two that are equally long, the one with the port.
 */
export class DomainTable<Value> {
  readonly #exact = new Map<string, Value>();
  readonly #suffix = new Map<string, Value>();
  readonly #prefix = new Map<string, Value>();
  readonly #any = new Map<string, Value>();
  readonly #comparesPorts: boolean;
  #suffixLengths: readonly number[] = [];
  #prefixLengths: readonly number[] = [];

  /** @param comparesPorts a port is part of what is compared (model `RouteConfig.comparesPorts`) */
  constructor(comparesPorts = false) {
    this.#comparesPorts = comparesPorts;
  }

  /** Adds a domain; a malformed or repeated one becomes an issue. @param path JSON pointer of the domain */
  add(domain: string, value: Value, context: CompileContext, path: string): void {
    const match = /^(\*?)([^*:]*|\[[^\]*]*\])(\*?)(:[1-9]\d{0,4})?$/.exec(domain.toLowerCase());
    const [, leading, host = '', trailing, port = ''] = match ?? [];
    if (match === null || (leading === '*' && trailing === '*') || (host === '' && leading !== '*')) {
      context.issue(
        path,
        `${JSON.stringify(domain)} is no domain; write a host name, *.suffix, prefix.* or *, each with :port where it matters`,
      );
      return;
    }
    const name = trailing === '' ? host.replace(/\.$/, '') : host;
    const table =
      name === '' && !(this.#comparesPorts && port !== '')
        ? this.#any
        : leading === '*'
          ? this.#suffix
          : trailing === '*'
            ? this.#prefix
            : this.#exact;
    if (table.has(name + port)) {
      context.issue(
        path,
        `${JSON.stringify(domain)} stands in another virtual host, or twice in this one; a domain may stand in one place only`,
      );
      return;
    }
    table.set(name + port, value);
    const lengths = (keys: Iterable<string>): number[] =>
      [...new Set([...keys].map((key) => (this.#comparesPorts ? key : hostOf(key)).length))].toSorted(
        (a, b) => b - a,
      );
    if (table === this.#suffix) this.#suffixLengths = lengths(table.keys());
    if (table === this.#prefix) this.#prefixLengths = lengths(table.keys());
  }

  /** @param authority normalised, with or without port */
  get(authority: string): Value | undefined {
    const exact = this.#exact.get(authority);
    if (exact !== undefined) return exact;
    const host = this.#comparesPorts ? authority : hostOf(authority);
    const port = host.length === authority.length ? '' : authority.slice(host.length);
    if (port !== '') {
      const anyPort = this.#exact.get(host);
      if (anyPort !== undefined) return anyPort;
    }
    for (const length of this.#suffixLengths) {
      if (length >= host.length) continue;
      const found = lookup(this.#suffix, host.slice(host.length - length), port);
      if (found !== undefined) return found;
    }
    for (const length of this.#prefixLengths) {
      if (length >= host.length) continue;
      const found = lookup(this.#prefix, host.slice(0, length), port);
      if (found !== undefined) return found;
    }
    return lookup(this.#any, '', port);
  }
}

function lookup<Value>(table: ReadonlyMap<string, Value>, name: string, port: string): Value | undefined {
  return (port === '' ? undefined : table.get(name + port)) ?? table.get(name);
}
