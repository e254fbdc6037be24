import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { RateLimitAction, RateLimitActions } from '@tulle/model';
import {
  type RateLimit,
  RateLimitSchema,
  RateLimit_ActionSchema as ActionSchema,
  RateLimit_OverrideSchema as OverrideSchema,
  RateLimit_XRateLimitOption as Told,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { DescriptorSchema } from '@tulle/xds-proto/envoy/extensions/rate_limit_descriptors/expr/v3/expr';
import { RateLimitUnit as Unit } from '@tulle/xds-proto/envoy/type/v3/ratelimit_unit';
import { encodeCidr } from './address.ts';
import { encodeHeaderMatch, encodeQueryMatch } from './matchers.ts';
import type { Fields } from './values.ts';

/** How requests are described to filters that limit rates. */
export function encodeRateLimits(limits: readonly RateLimitActions[] | undefined): RateLimit[] {
  return (limits ?? []).map(({ stage, actions, limit, atEnd, rateHeaders }) =>
    create(RateLimitSchema, {
      ...(stage !== undefined && { stage }),
      ...(limit && { limit: { overrideSpecifier: encodeLimit(limit) } }),
      actions: actions.map((action) => ({ actionSpecifier: encodeAction(action) })),
      applyOnStreamDone: atEnd === true,
      xRatelimitOption:
        rateHeaders === undefined ? Told.UNSPECIFIED : rateHeaders ? Told.DRAFT_VERSION_03 : Told.OFF,
    }),
  );
}

type Override = NonNullable<Fields<typeof OverrideSchema>['overrideSpecifier']>;

function encodeLimit(limit: NonNullable<RateLimitActions['limit']>): Override {
  if ('unit' in limit)
    return {
      case: 'rateLimit',
      value: { requestsPerUnit: limit.requestsPerUnit, unit: Unit[limit.unit] },
    };
  return {
    case: 'dynamicMetadata',
    value: {
      metadataKey: {
        key: limit.namespace,
        path: limit.path.map((value) => ({ segment: { case: 'key' as const, value } })),
      },
    },
  };
}

type Specifier = NonNullable<Fields<typeof ActionSchema>['actionSpecifier']>;

function encodeAction(action: RateLimitAction): Specifier {
  switch (action.kind) {
    case 'source-cluster':
      return { case: 'sourceCluster', value: {} };
    case 'destination-cluster':
      return { case: 'destinationCluster', value: {} };
    case 'remote-address':
      return { case: 'remoteAddress', value: {} };
    case 'masked-remote-address': {
      const { v4Bits = 32, v6Bits = 128 } = action;
      return { case: 'maskedRemoteAddress', value: { v4PrefixMaskLen: v4Bits, v6PrefixMaskLen: v6Bits } };
    }
    case 'header':
      return {
        case: 'requestHeaders',
        value: { headerName: action.name, descriptorKey: action.key, skipIfAbsent: action.optional ?? false },
      };
    case 'query':
      return {
        case: 'queryParameters',
        value: {
          queryParameterName: action.name,
          descriptorKey: action.key,
          skipIfAbsent: action.optional ?? false,
        },
      };
    case 'address-match':
      return {
        case: 'remoteAddressMatch',
        value: {
          descriptorKey: action.key ?? '',
          // Envoy takes its value for a format.
          descriptorValue: action.format === true ? action.value : action.value.replaceAll('%', '%%'),
          defaultValue: action.fallback ?? '',
          addressMatcher: {
            ranges: action.cidrs
              .map(encodeCidr)
              .map(({ addressPrefix, prefixLen = 0 }) => ({ addressPrefix, prefixLen })),
            invertMatch: action.expect === false,
          },
        },
      };
    case 'cel':
      return {
        case: 'extension',
        value: {
          name: 'envoy.rate_limit_descriptors.expr',
          typedConfig: anyPack(
            DescriptorSchema,
            create(DescriptorSchema, {
              descriptorKey: action.key,
              skipIfError: action.optional ?? false,
              exprSpecifier: { case: 'text', value: action.cel },
            }),
          ),
        },
      };
    case 'generic':
      return {
        case: 'genericKey',
        value: { descriptorValue: action.value, descriptorKey: action.key ?? '' },
      };
    case 'header-match':
      return {
        case: 'headerValueMatch',
        value: {
          descriptorKey: action.key ?? '',
          descriptorValue: action.value,
          expectMatch: action.expect ?? true,
          headers: action.headers.map(encodeHeaderMatch),
        },
      };
    case 'query-match':
      return {
        case: 'queryParameterValueMatch',
        value: {
          descriptorKey: action.key ?? '',
          descriptorValue: action.value,
          expectMatch: action.expect ?? true,
          queryParameters: action.query.map(encodeQueryMatch),
        },
      };
    case 'metadata':
      return {
        case: 'metadata',
        value: {
          descriptorKey: action.key,
          metadataKey: {
            key: action.namespace,
            path: action.path.map((key) => ({ segment: { case: 'key', value: key } })),
          },
          defaultValue: action.fallback ?? '',
          skipIfAbsent: action.optional ?? false,
        },
      };
  }
}
