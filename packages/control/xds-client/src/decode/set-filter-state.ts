import type { ConnSetFilterStateConfig, FilterStateValue, SetFilterStateConfig } from '@tulle/model';
import {
  type FilterStateValue as EnvoyValue,
  FilterStateValue_SharedWithUpstream as Shared,
} from '@tulle/xds-proto/envoy/extensions/filters/common/set_filter_state/v3/value';
import type { Config } from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import type { Config as NetworkConfig } from '@tulle/xds-proto/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state';
import type { SubstitutionFormatString } from '@tulle/xds-proto/envoy/config/core/v3/substitution_format_string';
import type { DecodeContext } from './context.ts';
import { decodeTextFormat } from './formatters.ts';
import { present } from './values.ts';

/** Factories of texts that do nothing but be found, Istio's among them; others change what Envoy does with the connection. */
const TEXTS: readonly string[] = [
  'envoy.string',
  'envoy.hashable_string',
  'istio.hashable_string',
  'io.istio.peer_principal',
  'io.istio.local_principal',
];

/** Those of addresses, which listeners of this process with the filter `original_dst` take for theirs. */
const ADDRESSES: readonly string[] = [
  'envoy.filters.listener.original_dst.local_ip',
  'envoy.filters.listener.original_dst.remote_ip',
];

const SHARED: ReadonlyMap<Shared, NonNullable<FilterStateValue['shared']>> = new Map([
  [Shared.ONCE, 'once'],
  [Shared.TRANSITIVE, 'always'],
] as const);

export function decodeSetFilterState(
  context: DecodeContext,
  { onRequestHeaders, clearRouteCache }: Config,
  path: string,
): SetFilterStateConfig {
  const decoded = decodeValues(context, onRequestHeaders, `${path}.on_request_headers`);
  return clearRouteCache ? { ...decoded, rematch: true } : decoded;
}

export function decodeConnSetFilterState(
  context: DecodeContext,
  { onNewConnection }: NetworkConfig,
  path: string,
): ConnSetFilterStateConfig {
  return decodeValues(context, onNewConnection, `${path}.on_new_connection`);
}

function decodeValues(
  context: DecodeContext,
  values: readonly EnvoyValue[],
  path: string,
): ConnSetFilterStateConfig {
  if (values.length === 0) context.refuse(path, 'is empty');
  return { values: values.map((value, index) => decodeValue(context, value, `${path}[${index}]`)) };
}

function decodeValue(context: DecodeContext, value: EnvoyValue, path: string): FilterStateValue {
  const key = value.key.case === 'objectKey' ? value.key.value : '';
  if (key === '') context.refuse(`${path}.object_key`, 'is missing');
  const factory = value.factoryKey || key;
  if (!TEXTS.includes(factory) && !ADDRESSES.includes(factory))
    context.refuse(
      `${path}.factory_key`,
      `must be ${[...TEXTS, ...ADDRESSES].join(' or ')}, but is ${JSON.stringify(factory)}: nothing but texts and these addresses can be put down`,
    );
  return present({
    key,
    format: decodeFormat(context, value, `${path}.format_string`),
    omitEmpty: value.value.case === 'formatString' && value.value.value.omitEmptyValues ? true : undefined,
    readOnly: value.readOnly ? true : undefined,
    skipIfEmpty: value.skipIfEmpty ? true : undefined,
    kind: ADDRESSES.includes(factory) ? ('address' as const) : undefined,
    shared: SHARED.get(value.sharedWithUpstream),
  });
}

function decodeFormat(context: DecodeContext, { value }: EnvoyValue, path: string): string {
  const given: SubstitutionFormatString | undefined = value.case === 'formatString' ? value.value : undefined;
  if (given === undefined) {
    context.refuse(path, 'is missing');
    return '';
  }
  return decodeTextFormat(context, given, path);
}
