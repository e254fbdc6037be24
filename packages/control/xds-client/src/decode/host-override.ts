import type { HostOverride, HostSource, MetadataPlace } from '@tulle/model';
import type {
  OverrideHost,
  OverrideHost_OverrideHostSource as OverrideHostSource,
} from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/override_host/v3/override_host';
import type { MetadataKey } from '@tulle/xds-proto/envoy/type/metadata/v3/metadata';
import type { DecodeContext } from './context.ts';
import { present } from './values.ts';

/** Where requests say which endpoint they go to. */
export function decodeHostOverride(
  context: DecodeContext,
  { overrideHostSources: sources, selectedHostKey: chosen }: OverrideHost,
  path: string,
): HostOverride {
  if (sources.length === 0) context.refuse(`${path}.override_host_sources`, 'is empty');
  return present({
    sources: sources.map((source, index) =>
      decodeSource(context, source, `${path}.override_host_sources[${index}]`),
    ),
    chosenIn: chosen && decodePlace(context, chosen, `${path}.selected_host_key`),
  });
}

function decodeSource(
  context: DecodeContext,
  { header, metadata }: OverrideHostSource,
  path: string,
): HostSource {
  if ((header === '') === (metadata === undefined))
    context.refuse(path, 'must have one of header and metadata');
  return metadata === undefined
    ? { kind: 'header', name: header }
    : { kind: 'metadata', ...decodePlace(context, metadata, `${path}.metadata`) };
}

export function decodePlace(context: DecodeContext, { key, path }: MetadataKey, at: string): MetadataPlace {
  if (key === '') context.refuse(`${at}.key`, 'is missing');
  if (path.length === 0) context.refuse(`${at}.path`, 'is empty');
  return {
    namespace: key,
    path: path.map(({ segment }) => (segment.case === 'key' ? segment.value : '')),
  };
}
