import type { SubsetFallback, SubsetRules } from '@tulle/model';
import {
  type Cluster_LbSubsetConfig,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetMetadataFallbackPolicy as MetadataFallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { Subset } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/subset/v3/subset';
import type { DecodeContext } from './context.ts';
import { decodeLabels } from './labels.ts';
import { filled, present } from './values.ts';

/** The old message and that of the policies have the same fields, and their enums the same numbers. */
type Config = Pick<
  Cluster_LbSubsetConfig,
  'defaultSubset' | 'localityWeightAware' | 'scaleLocalityWeight' | 'panicModeAny' | 'listAsAny'
> & {
  readonly fallbackPolicy: number;
  readonly metadataFallbackPolicy: number;
  readonly subsetSelectors: readonly (Pick<
    Subset['subsetSelectors'][number],
    'keys' | 'singleHostPerSubset' | 'fallbackKeysSubset'
  > & { readonly fallbackPolicy: number })[];
};

const FALLBACKS: ReadonlyMap<number, SubsetRules['fallback'] & {}> = new Map([
  [Fallback.NO_FALLBACK, 'none'],
  [Fallback.ANY_ENDPOINT, 'any'],
  [Fallback.DEFAULT_SUBSET, 'default'],
]);

const SELECTOR_FALLBACKS: ReadonlyMap<number, SubsetFallback> = new Map([
  [SelectorFallback.NO_FALLBACK, 'none'],
  [SelectorFallback.ANY_ENDPOINT, 'any'],
  [SelectorFallback.DEFAULT_SUBSET, 'default'],
  [SelectorFallback.KEYS_SUBSET, 'keys'],
]);

/** @returns `undefined` without a selector, which switches subsets off (Envoy) */
export function decodeSubsets(
  context: DecodeContext,
  config: Config | undefined,
  path: string,
): SubsetRules | undefined {
  if (config === undefined || config.subsetSelectors.length === 0) return undefined;
  const { scaleLocalityWeight, panicModeAny, listAsAny, metadataFallbackPolicy } = config;
  for (const [field, isSet] of [
    ['scale_locality_weight', scaleLocalityWeight],
    ['panic_mode_any', panicModeAny],
    ['list_as_any', listAsAny],
  ] as const)
    if (isSet) context.refuse(`${path}.${field}`, 'must be false');
  if (metadataFallbackPolicy !== MetadataFallback.METADATA_NO_FALLBACK)
    context.refuse(`${path}.metadata_fallback_policy`, 'must be METADATA_NO_FALLBACK');
  const fallback = FALLBACKS.get(config.fallbackPolicy);
  if (fallback === undefined)
    context.refuse(`${path}.fallback_policy`, 'must be NO_FALLBACK, ANY_ENDPOINT or DEFAULT_SUBSET');
  return present({
    fallback: fallback === 'none' ? undefined : fallback,
    defaultSubset: decodeLabels(context, config.defaultSubset, `${path}.default_subset`),
    selectors: config.subsetSelectors.map((selector, index) => {
      const here = `${path}.subset_selectors[${index}]`;
      const { keys, fallbackKeysSubset: fewer, singleHostPerSubset, fallbackPolicy } = selector;
      if (keys.length === 0) context.refuse(`${here}.keys`, 'is empty');
      if (singleHostPerSubset && keys.length > 1)
        context.refuse(`${here}.single_host_per_subset`, 'needs a single key');
      const falls = SELECTOR_FALLBACKS.get(fallbackPolicy);
      if (falls === undefined && fallbackPolicy !== SelectorFallback.NOT_DEFINED)
        context.refuse(`${here}.fallback_policy`, `${fallbackPolicy} is none of Envoy's`);
      if (
        falls === 'keys' &&
        (fewer.length === 0 || fewer.length >= keys.length || !fewer.every((key) => keys.includes(key)))
      )
        context.refuse(`${here}.fallback_keys_subset`, 'must be some of keys, and not all');
      return present({
        keys,
        fallback: falls,
        fallbackKeys: filled(fewer),
        singleHost: singleHostPerSubset || undefined,
      });
    }),
    localityWeighted: config.localityWeightAware || undefined,
  });
}
