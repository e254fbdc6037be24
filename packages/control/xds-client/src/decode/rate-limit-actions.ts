import type { RateLimitAction, RateLimitActions } from '@tulle/model';
import {
  type RateLimit,
  type RateLimit_Action as RouteAction,
  type RateLimit_Action_RemoteAddressMatch as AddressMatch,
  type RateLimit_Override as RouteLimit,
  RateLimit_Action_MetaData_Source as Source,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { MetadataKey } from '@tulle/xds-proto/envoy/type/metadata/v3/metadata';
import type { DecodeContext } from './context.ts';
import { decodeCidr } from './address.ts';
import { literalOf } from './header-edits.ts';
import { decodeHeaderMatch, decodeQueryMatch } from './matchers.ts';
import { filled, present } from './values.ts';

/** `rate_limits` of a virtual host or route. @returns `undefined` for none */
export function decodeRateLimits(
  context: DecodeContext,
  limits: readonly RateLimit[],
  path: string,
): readonly RateLimitActions[] | undefined {
  return filled(
    limits.map((limit, index) => {
      const here = `${path}[${index}]`;
      if (limit.actions.length === 0) context.refuse(`${here}.actions`, 'is empty');
      const stage = limit.stage ?? 0;
      if (stage > 10) context.refuse(`${here}.stage`, `must be 0 to 10, but is ${stage}`);
      return present({
        stage: stage === 0 ? undefined : stage,
        actions: limit.actions.map((action, at) =>
          decodeAction(context, action.actionSpecifier, `${here}.actions[${at}]`),
        ),
        limit: decodeLimit(context, limit.limit, `${here}.limit`),
      });
    }),
  );
}

/** Where a limit in place of the service's own is found. @returns `undefined`: nowhere */
export function decodeLimit(
  context: DecodeContext,
  limit: RouteLimit | undefined,
  path: string,
): RateLimitActions['limit'] {
  if (limit === undefined) return undefined;
  const { overrideSpecifier: specifier } = limit;
  const key = specifier.case === 'dynamicMetadata' ? specifier.value.metadataKey : undefined;
  const at = `${path}.dynamic_metadata.metadata_key`;
  if (key === undefined) context.refuse(at, 'is missing');
  else if (key.key === '') context.refuse(`${at}.key`, 'is missing');
  else if (key.path.length === 0) context.refuse(`${at}.path`, 'is empty');
  return key && { namespace: key.key, path: segmentsOf(key) };
}

function segmentsOf({ path }: MetadataKey): string[] {
  return path.map(({ segment }) => (segment.case === 'key' ? segment.value : ''));
}

export function decodeAction(
  context: DecodeContext,
  action: RouteAction['actionSpecifier'],
  path: string,
): RateLimitAction {
  switch (action.case) {
    case 'sourceCluster':
      return { kind: 'source-cluster' };
    case 'destinationCluster':
      return { kind: 'destination-cluster' };
    case 'remoteAddress':
      return { kind: 'remote-address' };
    case 'maskedRemoteAddress': {
      const { v4PrefixMaskLen: v4Bits = 32, v6PrefixMaskLen: v6Bits = 128 } = action.value;
      if (v4Bits > 32)
        context.refuse(`${path}.masked_remote_address.v4_prefix_mask_len`, 'must be at most 32');
      if (v6Bits > 128)
        context.refuse(`${path}.masked_remote_address.v6_prefix_mask_len`, 'must be at most 128');
      return { kind: 'masked-remote-address', v4Bits, v6Bits };
    }
    case 'requestHeaders': {
      const { headerName: name, descriptorKey: key, skipIfAbsent } = action.value;
      if (name === '') context.refuse(`${path}.request_headers.header_name`, 'is missing');
      if (key === '') context.refuse(`${path}.request_headers.descriptor_key`, 'is missing');
      return present({ kind: 'header' as const, name, key, optional: skipIfAbsent ? true : undefined });
    }
    case 'queryParameters': {
      const { queryParameterName: name, descriptorKey: key, skipIfAbsent } = action.value;
      if (name === '') context.refuse(`${path}.query_parameters.query_parameter_name`, 'is missing');
      if (key === '') context.refuse(`${path}.query_parameters.descriptor_key`, 'is missing');
      return present({ kind: 'query' as const, name, key, optional: skipIfAbsent ? true : undefined });
    }
    case 'remoteAddressMatch':
      return decodeAddressMatch(context, action.value, `${path}.remote_address_match`);
    case 'genericKey': {
      const { descriptorValue: value, descriptorKey } = action.value;
      return present({ kind: 'generic' as const, value, key: descriptorKey || undefined });
    }
    case 'headerValueMatch': {
      const { descriptorKey, descriptorValue: value, expectMatch, headers } = action.value;
      return present({
        kind: 'header-match' as const,
        value,
        key: descriptorKey || undefined,
        expect: expectMatch === false ? false : undefined,
        headers: headers.map((one, index) =>
          decodeHeaderMatch(context, one, `${path}.header_value_match.headers[${index}]`),
        ),
      });
    }
    case 'queryParameterValueMatch': {
      const { descriptorKey, descriptorValue: value, expectMatch, queryParameters } = action.value;
      return present({
        kind: 'query-match' as const,
        value,
        key: descriptorKey || undefined,
        expect: expectMatch === false ? false : undefined,
        query: queryParameters.map((one, index) =>
          decodeQueryMatch(
            context,
            one,
            false,
            `${path}.query_parameter_value_match.query_parameters[${index}]`,
          ),
        ),
      });
    }
    case 'metadata': {
      const { descriptorKey: key, metadataKey, defaultValue, source, skipIfAbsent } = action.value;
      if (source !== Source.DYNAMIC) context.refuse(`${path}.metadata.source`, 'must be DYNAMIC');
      return present({
        kind: 'metadata' as const,
        key,
        namespace: metadataKey?.key ?? '',
        path: metadataKey ? segmentsOf(metadataKey) : [],
        fallback: defaultValue || undefined,
        optional: skipIfAbsent ? true : undefined,
      });
    }
    default: // others are reported by the field walk
      if (action.case === undefined) context.refuse(path, 'says nothing');
      return { kind: 'generic', value: '' };
  }
}

/** Its value is a format, with `default_value` for one that comes to nothing: which a text without operators never does. */
function decodeAddressMatch(
  context: DecodeContext,
  { descriptorKey, descriptorValue, addressMatcher }: AddressMatch,
  path: string,
): RateLimitAction {
  const value = literalOf(descriptorValue);
  if (value === undefined)
    context.refuse(
      `${path}.descriptor_value`,
      'must have no operators (%…%): values of descriptors are texts',
    );
  else if (value === '') context.refuse(`${path}.descriptor_value`, 'is missing');
  const ranges = addressMatcher?.ranges ?? [];
  if (ranges.length === 0) context.refuse(`${path}.address_matcher.ranges`, 'is empty');
  return present({
    kind: 'address-match' as const,
    value: value ?? '',
    key: descriptorKey || undefined,
    expect: addressMatcher?.invertMatch === true ? false : undefined,
    cidrs: ranges.map(decodeCidr),
  });
}
