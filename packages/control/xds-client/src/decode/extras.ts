import type { Metadata } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { TULLE_METADATA } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import { isObject, namespaceOf } from './values.ts';

/** Reads the metadata of Tulle's namespace by key and type. */
export interface Extras {
  number(key: string): number | undefined;
  text(key: string): string | undefined;
  object(key: string): Readonly<Record<string, unknown>> | undefined;
  list(key: string): readonly unknown[] | undefined;
  flag(key: string): boolean | undefined;
  /** Refuses every key that nobody asked for: it comes from a newer control plane and would be half-applied. */
  end(): void;
}

/** @param path of the message that has the metadata */
export function readExtras(context: DecodeContext, metadata: Metadata | undefined, path: string): Extras {
  return readObject(
    context,
    namespaceOf(metadata, TULLE_METADATA),
    `${path === '' ? '' : `${path}.`}metadata["${TULLE_METADATA}"]`,
  );
}

/** The same for an object within. */
export function readObject(
  context: DecodeContext,
  values: Readonly<Record<string, unknown>>,
  path: string,
): Extras {
  const asked = new Set<string>();
  const read = <T>(key: string, kind: string, holds: (value: unknown) => value is T): T | undefined => {
    asked.add(key);
    if (!Object.hasOwn(values, key)) return undefined;
    const value = values[key];
    if (holds(value)) return value;
    context.refuse(`${path}.${key}`, `must be ${kind}, but is ${show(value)}`);
    return undefined;
  };
  return {
    number: (key) => read(key, 'a number', (value) => typeof value === 'number'),
    text: (key) => read(key, 'a string', (value) => typeof value === 'string'),
    flag: (key) => read(key, 'true or false', (value) => typeof value === 'boolean'),
    list: (key) => read(key, 'a list', (value) => Array.isArray(value)),
    object: (key) => read(key, 'an object', isObject),
    end() {
      for (const key of Object.keys(values)) {
        if (!asked.has(key)) context.refuse(`${path}.${key}`, 'is not known to this version');
      }
    },
  };
}

/** An object of strings. */
export function readTexts(
  context: DecodeContext,
  values: Readonly<Record<string, unknown>> | undefined,
  path: string,
): Readonly<Record<string, string>> | undefined {
  if (!values) return undefined;
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) {
    if (typeof value === 'string') texts[key] = value;
    else context.refuse(`${path}.${key}`, `must be a string, but is ${show(value)}`);
  }
  return texts;
}

/** A value in a message, cut where it gets long. */
function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
