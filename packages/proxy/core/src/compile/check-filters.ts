import type { DefinitionBase } from '@tulle/filter';
import type { FilterEntry } from '@tulle/model';
import type { AnyDefinition, FilterInstance } from '../chain/tables.ts';
import type { Issues } from './issues.ts';

/** A filter with the configuration that is in force somewhere. */
interface Standing {
  readonly name: string;
  readonly definition: AnyDefinition;
  readonly config: unknown;
}

/** Each filter must find before it what it takes; one that stands without is a fault, by name. */
export function checkSlots(
  chain: readonly Standing[],
  pathOf: (index: number) => string,
  issues: Issues,
  where = '',
): void {
  const provided = new Set<string>();
  for (const [index, { definition, name, config }] of chain.entries()) {
    const path = pathOf(index);
    const byConfig =
      config === undefined ? undefined : issues.guard(path, () => definition.requiresFor?.(config));
    for (const slot of new Set([...(definition.requires ?? []), ...(byConfig ?? [])])) {
      if (provided.has(slot.name)) continue;
      const later = chain
        .slice(index + 1)
        .find((other) => other.definition.provides?.some((given) => given.name === slot.name));
      issues.add(
        path,
        `filter ${name} requires the slot ${slot.name}, which no earlier filter provides${where}${later === undefined ? '; add one that does' : `; ${later.name} provides it, put that before`}`,
      );
    }
    for (const slot of definition.provides ?? []) provided.add(slot.name);
  }
}

/** The contract's version, and what the filter lets nobody ask of it. */
export function checkEntry(
  definition: DefinitionBase<unknown>,
  entry: FilterEntry,
  path: string,
  issues: Issues,
): void {
  if (entry.failOpen === true && definition.failOpen === 'forbidden')
    issues.add(
      `${path}/failOpen`,
      `filter ${entry.name} must not be skipped where it throws, since it decides who comes in; leave failOpen out`,
    );
  if (definition.apiVersion !== 1)
    issues.add(
      `${path}/filter`,
      `filter ${entry.name} is written for filter contract ${String(definition.apiVersion)}; this engine takes 1`,
    );
}

/** Hooks that the definition does not account for. */
export function checkHooks(filter: FilterInstance, path: string, issues: Issues): void {
  const { hooks, definition, name, attemptScope } = filter;
  if (
    definition.bodyFor === undefined &&
    hooks.requestData !== undefined &&
    definition.body?.request === undefined
  )
    issues.add(
      path,
      `filter ${name} has requestData but declares no body.request; say 'observe', 'transform' or { buffer: bytes }`,
    );
  if (
    definition.bodyFor === undefined &&
    hooks.responseData !== undefined &&
    definition.body?.response === undefined
  )
    issues.add(
      path,
      `filter ${name} has responseData but declares no body.response; say 'observe', 'transform' or { buffer: bytes }`,
    );
  if (attemptScope) {
    for (const hook of [
      'requestData',
      'requestTrailers',
      'responseHeaders',
      'responseData',
      'responseTrailers',
    ] as const) {
      if (hooks[hook] !== undefined)
        issues.add(
          path,
          `filter ${name} has scope attempt and ${hook}; such a filter has requestHeaders, attemptEnd and complete only`,
        );
    }
  } else if (hooks.attemptEnd !== undefined)
    issues.add(path, `filter ${name} has attemptEnd but scope request; declare scope: 'attempt'`);
}
