import type { ConfigIssue } from '@tulle/filter';
import { TulleError } from '@tulle/filter';

/**
 * The environment variables of the OpenTelemetry specification, read strictly: a value that cannot be meant is an error
 * that names the variable, not a silent default. All faults are reported together.
 */
export class Environment {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #issues: ConfigIssue[] = [];

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** @throws TulleError `TULLE_CONFIG_INVALID` with everything that {@link refuse} was told */
  check(): void {
    if (this.#issues.length === 0) return;
    const text = this.#issues.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new TulleError('TULLE_CONFIG_INVALID', `otlp: ${text}`, { issues: this.#issues });
  }

  /** Notes a fault. @param where variable or option */
  refuse(where: string, message: string): undefined {
    this.#issues.push({ path: where, message });
    return undefined;
  }

  /** The first of these variables that has a value (an empty one counts as absent), with its name. */
  text(...names: readonly string[]): { readonly name: string; readonly value: string } | undefined {
    for (const name of names) {
      const value = this.#env[name]?.trim();
      if (value !== undefined && value !== '') return { name, value };
    }
    return undefined;
  }

  flag(name: string): boolean {
    return this.text(name)?.value.toLowerCase() === 'true';
  }

  /** A number within bounds. @param what for the message, e.g. "milliseconds" */
  number(names: readonly string[], what: string, min: number, max: number): number | undefined {
    const found = this.text(...names);
    if (found === undefined) return undefined;
    const value = Number(found.value);
    return value >= min && value <= max
      ? value
      : this.refuse(found.name, `${JSON.stringify(found.value)} is no number of ${what}, ${min} to ${max}`);
  }

  choice<T extends string>(names: readonly string[], values: readonly T[]): T | undefined {
    const found = this.text(...names);
    if (found === undefined) return undefined;
    const value = values.find((one) => one === found.value);
    return value ?? this.refuse(found.name, `${JSON.stringify(found.value)} is none of ${values.join(', ')}`);
  }

  /** Several of some values, comma-separated. */
  list<T extends string>(name: string, values: readonly T[]): readonly T[] | undefined {
    const found = this.text(name);
    if (found === undefined) return undefined;
    const parts = found.value.split(',').map((part) => part.trim());
    for (const part of parts)
      if (!(values as readonly string[]).includes(part))
        return this.refuse(name, `${JSON.stringify(part)} is none of ${values.join(', ')}`);
    return parts as T[];
  }

  /** `key1=value1,key2=value2`, values percent-encoded (OpenTelemetry, the format of W3C Baggage without properties). */
  pairs(...names: readonly string[]): Readonly<Record<string, string>> | undefined {
    const found = this.text(...names);
    if (found === undefined) return undefined;
    const pairs: Record<string, string> = {};
    for (const part of found.value.split(',')) {
      if (part.trim() === '') continue;
      const equals = part.indexOf('=');
      const key = part.slice(0, equals).trim();
      if (equals < 0 || key === '') {
        // Values may be keys to something: they are not shown.
        this.refuse(found.name, `part ${found.value.split(',').indexOf(part) + 1} is not key=value`);
        continue;
      }
      try {
        pairs[decodeURIComponent(key)] = decodeURIComponent(part.slice(equals + 1).trim());
      } catch {
        this.refuse(found.name, `the value of ${JSON.stringify(key)} has a bad percent escape`);
      }
    }
    return pairs;
  }

  /** An HTTP URL. @returns its text without credentials having been looked at */
  url(where: string, text: string): string | undefined {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      return this.refuse(where, `${JSON.stringify(text)} is no URL; give e.g. http://127.0.0.1:4318`);
    }
    return url.protocol === 'http:' || url.protocol === 'https:'
      ? url.href
      : this.refuse(
          where,
          `${JSON.stringify(text)} is not http:// or https://; OTLP over gRPC is not spoken here`,
        );
  }
}
