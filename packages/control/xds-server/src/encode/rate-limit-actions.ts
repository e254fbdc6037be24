import { create } from '@bufbuild/protobuf';
import type { RateLimitAction, RateLimitActions } from '@tulle/model';
import {
  type RateLimit,
  RateLimitSchema,
  RateLimit_ActionSchema as ActionSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { encodeCidr } from './address.ts';
import { encodeHeaderMatch, encodeQueryMatch } from './matchers.ts';
import type { Fields } from './values.ts';

/** How requests are described to filters that limit rates. */
export function encodeRateLimits(limits: readonly RateLimitActions[] | undefined): RateLimit[] {
  return (limits ?? []).map(({ stage, actions, limit }) =>
    create(RateLimitSchema, {
      ...(stage !== undefined && { stage }),
      ...(limit && {
        limit: {
          overrideSpecifier: {
            case: 'dynamicMetadata' as const,
            value: {
              metadataKey: {
                key: limit.namespace,
                path: limit.path.map((value) => ({ segment: { case: 'key' as const, value } })),
              },
            },
          },
        },
      }),
      actions: actions.map((action) => ({ actionSpecifier: encodeAction(action) })),
    }),
  );
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
          descriptorValue: action.value.replaceAll('%', '%%'),
          addressMatcher: {
            ranges: action.cidrs
              .map(encodeCidr)
              .map(({ addressPrefix, prefixLen = 0 }) => ({ addressPrefix, prefixLen })),
            invertMatch: action.expect === false,
          },
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
