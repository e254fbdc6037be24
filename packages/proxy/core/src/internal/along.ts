import {
  FILTER_STATE,
  READ_ONLY_FILTER_STATE,
  SHARED_FILTER_STATE,
  type MetadataValues,
} from '@tulle/filter';
import type { Endpoint, Passthrough } from '@tulle/model';
import type { EngineConnection } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { Passed } from './passed.ts';

/** What goes along with a connection to a listener of this process, of whom it is made for. */
export interface Along {
  /** Listeners of this process that it has come through. */
  readonly depth: number;
  /** Key, value, whether the next connection has it too, and whether nobody may replace it there. */
  readonly values: readonly (readonly [key: string, value: string, again: boolean, stays: boolean])[];
}

/** Of what comes from outside, or from the proxy itself. */
export const NOTHING_ALONG: Along = Object.freeze({ depth: 0, values: [] });

/** What a request takes along. @param tells whether the endpoint's cluster passes filter state on */
export function alongWith(stream: Stream, tells: boolean): Along {
  const { internal, state } = stream.downstream.connection;
  const depth = internal?.passed.depth ?? 0;
  const shared = tells ? stream.getSlot(SHARED_FILTER_STATE) : undefined;
  if (shared === undefined) return nothingBut(depth);
  const values = stream.getSlot(FILTER_STATE);
  const own = stream.getSlot(READ_ONLY_FILTER_STATE);
  const inherited = state?.get(READ_ONLY_FILTER_STATE);
  return {
    depth,
    values: [...shared].map(([key, how]) => {
      // On a stream those of its connection stay, whether they do beyond it or not.
      const stays = state?.keys.has(key) === true ? inherited : own;
      return [key, values?.[key] ?? '', how === 'always', stays?.has(key) ?? false] as const;
    }),
  };
}

/** What a connection of bytes takes along. */
export function alongWithConnection({ internal, state }: EngineConnection, tells: boolean): Along {
  const depth = internal?.passed.depth ?? 0;
  const shared = tells ? state?.get(SHARED_FILTER_STATE) : undefined;
  if (shared === undefined) return nothingBut(depth);
  const values = state?.get(FILTER_STATE);
  const stays = state?.get(READ_ONLY_FILTER_STATE);
  return {
    depth,
    values: [...shared].map(
      ([key, how]) => [key, values?.[key] ?? '', how === 'always', stays?.has(key) ?? false] as const,
    ),
  };
}

const nothingBut = (depth: number): Along => (depth === 0 ? NOTHING_ALONG : { depth, values: [] });

/** Which connections may serve others with the same; `''`: those for which nothing goes along. */
export function keyOf({ depth, values }: Along): string {
  return depth === 0 && values.length === 0 ? '' : JSON.stringify([depth, values]);
}

/** What a new connection brings along. @param rules of the cluster; `undefined`: nothing but how deep it is */
export function passedTo(endpoint: Endpoint, rules: Passthrough | undefined, along: Along): Passed {
  const depth = along.depth + 1;
  if (rules === undefined)
    return { depth, filterState: undefined, readOnly: undefined, transitive: undefined, metadata: undefined };
  // No key is one of the prototype's.
  const filterState = Object.create(null) as Record<string, string>;
  const readOnly = new Set<string>();
  const transitive = new Map<string, 'always'>();
  for (const [key, value, again, stays] of along.values) {
    filterState[key] = value;
    if (stays) readOnly.add(key);
    if (again) transitive.set(key, 'always');
  }
  return {
    depth,
    filterState: along.values.length === 0 ? undefined : Object.freeze(filterState),
    readOnly: readOnly.size === 0 ? undefined : readOnly,
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
