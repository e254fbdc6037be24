import type { KindRules } from '../ads/kind-rules.ts';
import type { RawResource, RawSet } from './raw-set.ts';
import {
  CLUSTER,
  ENDPOINT,
  EXTENSION,
  isNamed,
  LISTENER,
  ROUTE,
  SCOPED_ROUTE,
  SECRET,
  VIRTUAL_HOST,
} from './resource-types.ts';

/**
 * What others wait for goes first, with what they need to be warm: Envoy answers a cluster when it has its endpoints and
 * secrets. Types that nobody here knows go last.
 */
const STAGES: ReadonlyMap<string, number> = new Map([
  [CLUSTER, 0],
  [ENDPOINT, 0],
  [SECRET, 0],
  [EXTENSION, 0],
  [LISTENER, 1],
  [ROUTE, 2],
  [SCOPED_ROUTE, 2],
  [VIRTUAL_HOST, 2],
]);

/** First what points, then what is pointed at. */
const REMOVALS: readonly string[] = [
  LISTENER,
  SCOPED_ROUTE,
  ROUTE,
  VIRTUAL_HOST,
  CLUSTER,
  ENDPOINT,
  EXTENSION,
  SECRET,
];
const LAST = 1_000;

/** Resources as they were put, by type URL. */
export const RAW_RULES: KindRules<string, RawSet> = {
  known: [CLUSTER, ENDPOINT, LISTENER, ROUTE],
  stage: (typeUrl) => STAGES.get(typeUrl) ?? 3,
  removalRank(typeUrl) {
    const rank = REMOVALS.indexOf(typeUrl);
    return rank < 0 ? LAST : rank;
  },
  allByDefault: (typeUrl) => !isNamed(typeUrl),
  namespaces: (typeUrl) => typeUrl === VIRTUAL_HOST,
  whole: (typeUrl) => typeUrl === LISTENER || typeUrl === CLUSTER || typeUrl === SCOPED_ROUTE,
  swaps: (typeUrl) => typeUrl === SCOPED_ROUTE,
  points: (typeUrl) => typeUrl === LISTENER || typeUrl === ROUTE || typeUrl === SCOPED_ROUTE,
  cluster: CLUSTER,
  endpoint: ENDPOINT,
  discovered: ({ discovered }) => discovered,
  leads: ({ leads }) => leads,
  resources: rawResources,
};

/** One array, so that a type without resources is the same from set to set. */
const NONE: readonly [] = [];

/** What a set has of a type. */
export function rawResources({ byType }: RawSet, typeUrl: string): readonly RawResource[] {
  return byType.get(typeUrl) ?? NONE;
}
