import { clone } from '@bufbuild/protobuf';
import {
  type Collection,
  type DecodeContext,
  type DiscoverySource,
  parseResourceName,
  readSource,
} from '@tulle/xds-client';
import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { type ConfigSource, ConfigSourceSchema } from '@tulle/xds-proto/envoy/config/core/v3/config_source';

/**
 * Where names are to be had that say their authority (`config_sources`), by authority; `*` for all others
 * (`default_config_source`).
 */
export function readAuthorities(
  { configSources, defaultConfigSource }: Bootstrap,
  context: DecodeContext,
): ReadonlyMap<string, DiscoverySource> {
  const authorities = new Map<string, DiscoverySource>();
  for (const [index, config] of configSources.entries()) {
    const path = `config_sources[${index}]`;
    if (config.authorities.length === 0)
      context.refuse(`${path}.authorities`, 'is empty: name whose resources come from there');
    const source = sourceOf(config, path, context);
    for (const [place, { name }] of config.authorities.entries()) {
      if (authorities.has(name))
        context.refuse(`${path}.authorities[${place}].name`, `has a source already: ${JSON.stringify(name)}`);
      else if (source) authorities.set(name, source);
    }
  }
  if (defaultConfigSource) {
    const path = 'default_config_source';
    if (defaultConfigSource.authorities.length > 0)
      context.refuse(`${path}.authorities`, 'must be empty: it is for all that no other source has');
    const source = sourceOf(defaultConfigSource, path, context);
    if (source) authorities.set('*', source);
  }
  return authorities;
}

function sourceOf(config: ConfigSource, path: string, context: DecodeContext): DiscoverySource | undefined {
  const whole = clone(ConfigSourceSchema, config);
  whole.authorities = [];
  context.check(ConfigSourceSchema, whole, path);
  return readSource(context, whole, path)?.source;
}

/** Where the resources of a locator may come from. */
export interface LocatorSources {
  readonly authorities: ReadonlyMap<string, DiscoverySource>;
  /** What stands beside it (`lds_config`, `cds_config`), which is asked whatever the authority. */
  readonly beside: DiscoverySource | undefined;
  /** Whether what comes by ADS comes incrementally: collections need that. */
  readonly adsIsDelta: boolean;
}

/** All listeners or clusters of a directory (`lds_resources_locator`, `cds_resources_locator`). */
export function readLocator(
  locator: string,
  path: string,
  { authorities, beside, adsIsDelta }: LocatorSources,
  context: DecodeContext,
): Collection | undefined {
  const name = parseResourceName(locator);
  if (!name?.isCollection) {
    context.refuse(
      path,
      `must be xdstp://authority/type/directory/*, but is ${JSON.stringify(locator)}: lists of resources are not supported`,
    );
    return undefined;
  }
  const source = beside ?? authorities.get(name.authority) ?? authorities.get('*');
  if (!source) {
    context.refuse(path, `has an authority that no config_sources has: ${JSON.stringify(name.authority)}`);
    return undefined;
  }
  const isDelta = source.kind === 'ads' ? adsIsDelta : source.kind === 'grpc' && source.api === 'delta';
  if (!isDelta) {
    context.refuse(path, 'needs a source that is asked incrementally (DELTA_GRPC)');
    return undefined;
  }
  return { collection: locator, source };
}
