import { isMessage } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { OwnRateLimitActions, RateLimitAction, RateLimitActions, RateLimitUnit } from '@tulle/model';
import {
  type RateLimit,
  type RateLimit_Action as RouteAction,
  type RateLimit_Action_RemoteAddressMatch as AddressMatch,
  type RateLimit_HitsAddend as HitsAddend,
  type RateLimit_Override as RouteLimit,
  RateLimit_XRateLimitOption as Told,
  RateLimit_Action_MetaData_Source as Source,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { DescriptorSchema } from '@tulle/xds-proto/envoy/extensions/rate_limit_descriptors/expr/v3/expr';
import { RateLimitUnit as Unit } from '@tulle/xds-proto/envoy/type/v3/ratelimit_unit';
import type { MetadataKey } from '@tulle/xds-proto/envoy/type/metadata/v3/metadata';
import type { DecodeContext } from './context.ts';
import { decodeCidr } from './address.ts';
import { celOf } from './authz/condition.ts';
import { literalOf } from './header-edits.ts';
import { decodeHeaderMatch, decodeQueryMatch } from './matchers.ts';
import { filled, present } from './values.ts';

/** `rate_limits` of a virtual host or route, where Envoy does not look at `hits_addend`. @returns `undefined` for none */
export function decodeRateLimits(
  context: DecodeContext,
  limits: readonly RateLimit[],
  path: string,
): readonly RateLimitActions[] | undefined {
  return filled(
    limits.map((limit, index) => {
      const here = `${path}[${index}]`;
      const stage = limit.stage ?? 0;
      if (stage > 10) context.refuse(`${here}.stage`, `must be 0 to 10, but is ${stage}`);
      return {
        ...present({ stage: stage === 0 ? undefined : stage }),
        ...decodeActions(context, limit, here),
      };
    }),
  );
}

/** `rate_limits` of a filter, which hold in place of those of routes. @returns `undefined` for none */
export function decodeOwnRateLimits(
  context: DecodeContext,
  limits: readonly RateLimit[],
  path: string,
): readonly OwnRateLimitActions[] | undefined {
  return filled(
    limits.map((limit, index) => {
      const here = `${path}[${index}]`;
      if (limit.stage !== undefined)
        context.refuse(`${here}.stage`, 'must not be set: the limits of a filter have no stages');
      if (limit.disableKey !== '')
        context.refuse(`${here}.disable_key`, 'must not be set: the limits of a filter have none');
      return {
        ...decodeActions(context, limit, here),
        ...decodeHits(context, limit.hitsAddend, `${here}.hits_addend`),
      };
    }),
  );
}

const MAX_HITS = 1_000_000_000;

function decodeHits(
  context: DecodeContext,
  hits: HitsAddend | undefined,
  path: string,
): Pick<OwnRateLimitActions, 'hits' | 'giveBack'> {
  if (hits === undefined) return {};
  const { number, format, isNegativeHits } = hits;
  if ((number === undefined) === (format === ''))
    context.refuse(path, 'must have either a number or a format');
  if (number !== undefined && number > MAX_HITS)
    context.refuse(`${path}.number`, `must be at most ${MAX_HITS}, but is ${number}`);
  if (format !== '' && !/^%.+%$/.test(format))
    context.refuse(`${path}.format`, `must be one operator (%…%), but is ${JSON.stringify(format)}`);
  return present({
    hits: format === '' ? Number(number ?? 1n) : { format },
    giveBack: isNegativeHits ? true : undefined,
  });
}

function decodeActions(
  context: DecodeContext,
  { actions, limit, applyOnStreamDone, xRatelimitOption }: RateLimit,
  path: string,
): RateLimitActions {
  if (actions.length === 0) context.refuse(`${path}.actions`, 'is empty');
  return present({
    actions: actions.map((action, at) =>
      decodeAction(context, action.actionSpecifier, `${path}.actions[${at}]`),
    ),
    limit: decodeLimit(context, limit, `${path}.limit`),
    atEnd: applyOnStreamDone ? true : undefined,
    rateHeaders: TOLD.get(xRatelimitOption),
  });
}

const TOLD: ReadonlyMap<Told, boolean> = new Map([
  [Told.OFF, false],
  [Told.DRAFT_VERSION_03, true],
]);

const UNITS: ReadonlyMap<Unit, RateLimitUnit> = new Map(
  Object.entries(Unit).map(([name, unit]) => [unit, name as RateLimitUnit]),
);

/** A limit in place of the service's own, or where it is found. @returns `undefined` for none */
function decodeLimit(
  context: DecodeContext,
  limit: RouteLimit | undefined,
  path: string,
): RateLimitActions['limit'] {
  if (limit === undefined) return undefined;
  const { overrideSpecifier: specifier } = limit;
  if (specifier.case === 'rateLimit') {
    const { requestsPerUnit, unit } = specifier.value;
    // A unit that there is not is reported by the field walk.
    return { requestsPerUnit, unit: UNITS.get(unit) ?? 'UNKNOWN' };
  }
  const key = specifier.case === 'dynamicMetadata' ? specifier.value.metadataKey : undefined;
  const at = `${path}.dynamic_metadata.metadata_key`;
  if (specifier.case === undefined) context.refuse(path, 'says nothing: give dynamic_metadata or rate_limit');
  else if (key === undefined) context.refuse(at, 'is missing');
  else if (key.key === '') context.refuse(`${at}.key`, 'is missing');
  else if (key.path.length === 0) context.refuse(`${at}.path`, 'is empty');
  return key && { namespace: key.key, path: segmentsOf(key) };
}

function segmentsOf({ path }: MetadataKey): string[] {
  return path.map(({ segment }) => (segment.case === 'key' ? segment.value : ''));
}

function decodeAction(
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
    case 'extension':
      return decodeDescriptor(context, action.value.typedConfig, `${path}.extension.typed_config`);
    default: // others are reported by the field walk
      if (action.case === undefined) context.refuse(path, 'says nothing');
      return { kind: 'generic', value: '' };
  }
}

/** A descriptor that an extension makes. */
function decodeDescriptor(context: DecodeContext, config: Any | undefined, path: string): RateLimitAction {
  const message = context.open(config, path);
  if (message === undefined) return { kind: 'generic', value: '' };
  if (!isMessage(message, DescriptorSchema)) {
    context.refuse(path, `${message.$typeName} describes no requests; there is ${DescriptorSchema.typeName}`);
    return { kind: 'generic', value: '' };
  }
  const { descriptorKey: key, skipIfError, exprSpecifier: expression } = message;
  if (key === '') context.refuse(`${path}.descriptor_key`, 'is missing');
  if (expression.case === undefined) context.refuse(path, 'says no expression: give text or parsed');
  return present({
    kind: 'cel' as const,
    key,
    cel:
      expression.case === 'parsed'
        ? celOf(context, expression.value, `${path}.parsed`)
        : (expression.value ?? ''),
    optional: skipIfError ? true : undefined,
  });
}

/** Its value is a format, with `default_value` for one that comes to nothing. */
function decodeAddressMatch(
  context: DecodeContext,
  { descriptorKey, descriptorValue, defaultValue, addressMatcher }: AddressMatch,
  path: string,
): RateLimitAction {
  const value = literalOf(descriptorValue);
  if (value === '') context.refuse(`${path}.descriptor_value`, 'is missing');
  const ranges = addressMatcher?.ranges ?? [];
  if (ranges.length === 0) context.refuse(`${path}.address_matcher.ranges`, 'is empty');
  return present({
    kind: 'address-match' as const,
    value: value ?? descriptorValue,
    key: descriptorKey || undefined,
    format: value === undefined ? true : undefined,
    // A text without operators comes to itself.
    fallback: value === undefined ? defaultValue || undefined : undefined,
    expect: addressMatcher?.invertMatch === true ? false : undefined,
    cidrs: ranges.map(decodeCidr),
  });
}
