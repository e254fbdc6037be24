import { FILTER_STATE, SHARED_FILTER_STATE, type MetadataValues } from '@tulle/filter';
import type { Endpoint, Passthrough } from '@tulle/model';
import type { EngineConnection } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { Passed } from './passed.ts';

/** What goes along with a connection to a listener of this process, of whom it is made for. */
export interface Along {
  /** Listeners of this process that it has come through. */
  readonly depth: number;
  /** Key, value, and whether the next connection has it too. */
  readonly values: readonly (readonly [key: string, value: string, again: boolean])[];
}

/** Of what comes from outside, or from the proxy itself. */
export const NOTHING_ALONG: Along = Object.freeze({ depth: 0, values: [] });

const NO_KEYS: ReadonlySet<string> = new Set();

/** What a request takes along. @param tells whether the endpoint's cluster passes filter state on */
export function alongWith(stream: Stream, tells: boolean): Along {
  const depth = stream.downstream.connection.internal?.passed.depth ?? 0;
  const shared = tells ? stream.getSlot(SHARED_FILTER_STATE) : undefined;
  if (shared === undefined) return depth === 0 ? NOTHING_ALONG : { depth, values: [] };
  const state = stream.getSlot(FILTER_STATE) ?? {};
  const values = [...shared].map(([key, how]) => [key, state[key] ?? '', how === 'always'] as const);
  return { depth, values };
}

/** What a connection of bytes takes along. */
export function alongWithConnection({ internal }: EngineConnection, tells: boolean): Along {
  if (internal === undefined) return NOTHING_ALONG;
  const { depth, transitive, filterState } = internal.passed;
  if (!tells || transitive === undefined) return { depth, values: [] };
  return {
    depth,
    values: [...transitive.keys()].map((key) => [key, filterState?.[key] ?? '', true] as const),
  };
}

/** Which connections may serve others with the same; `''`: those for which nothing goes along. */
export function keyOf({ depth, values }: Along): string {
  return depth === 0 && values.length === 0 ? '' : JSON.stringify([depth, values]);
}

/** What a new connection brings along. @param rules of the cluster; `undefined`: nothing but how deep it is */
export function passedTo(endpoint: Endpoint, rules: Passthrough | undefined, along: Along): Passed {
  const depth = along.depth + 1;
  if (rules === undefined)
    return { depth, filterState: undefined, keys: NO_KEYS, transitive: undefined, metadata: undefined };
  // No key is one of the prototype's.
  const filterState = Object.create(null) as Record<string, string>;
  const keys = new Set<string>();
  const transitive = new Map<string, 'always'>();
  for (const [key, value, again] of along.values) {
    filterState[key] = value;
    keys.add(key);
    if (again) transitive.set(key, 'always');
  }
  return {
    depth,
    filterState: keys.size === 0 ? undefined : Object.freeze(filterState),
    keys,
    transitive: transitive.size === 0 ? undefined : transitive,
    metadata: metadataOf(endpoint, rules),
  };
}

/** Of sources with the same namespace the last one holds, whole, as in Envoy. */
function metadataOf(
  { metadata: own }: Endpoint,
  { metadata: sources = [] }: Passthrough,
): Passed['metadata'] {
  let told: Record<string, MetadataValues> | undefined;
  for (const source of sources) {
    const { namespace } = source;
    const values =
      source.from === 'cluster'
        ? source.values
        : own !== undefined && Object.hasOwn(own, namespace)
          ? own[namespace]
          : undefined;
    if (values !== undefined)
      (told ??= Object.create(null) as Record<string, MetadataValues>)[namespace] = values;
  }
  return told;
}
