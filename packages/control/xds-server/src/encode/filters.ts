import { create } from '@bufbuild/protobuf';
import { type Any, anyPack, AnySchema } from '@bufbuild/protobuf/wkt';
import {
  AUTHZ_FILTER,
  type CallerControls,
  type FilterConfigs,
  type FilterEntry,
  IP_ALLOW_FILTER,
  RETRY_FILTER,
} from '@tulle/model';
import {
  type Filter,
  FilterSchema,
  type ListenerFilter,
  ListenerFilterSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { FilterConfigSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { type Router, RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import {
  type RBAC,
  RBACPerRouteSchema,
  RBACSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { RBACSchema as NetworkRbacSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { DENY_SLOT, REFUSED_PATHS_SLOT, ROUTE_OVERRIDE } from '../wire.ts';
import { encodeAuthz } from './authz/rbac.ts';
import { judgesPaths, refusedPaths } from './authz/refused-paths.ts';
import { encodeConnExtAuthz } from './conn-ext-authz.ts';
import { encodeConnSetFilterState } from './set-filter-state.ts';
import { encodeConnLimit, encodeListenerLimit } from './conn-limits.ts';
import type { EncodeForm, ClientRelease } from './form.ts';
import { encodeIpAllow } from './ip-allow.ts';
import { encodeStandard, encodeStandardOverride } from './standard-filters.ts';
import { sortedMap, typedStruct } from './values.ts';

/**
 * The chain of an HttpConnectionManager: our filters, then Envoy's router, which ends every chain. What Tulle's engine refuses
 * by itself, another client is told to deny, by a filter of its own: no route's override takes it away.
 */
export function encodeHttpFilters(
  entries: readonly FilterEntry[],
  { release, workloadCertificate }: EncodeForm,
  controls: CallerControls = {},
): HttpFilter[] {
  const router = create(HttpFilterSchema, {
    name: 'envoy.filters.http.router',
    configType: { case: 'typedConfig', value: anyPack(RouterSchema, encodeRouter(controls)) },
  });
  return [
    ...(workloadCertificate.kind !== 'own' && judgesPaths(entries)
      ? [rbacFilter(REFUSED_PATHS_SLOT, refusedPaths())]
      : []),
    ...entries.flatMap((entry) =>
      (encodeAuthzFilters(entry, entries, release) ?? [encodeHttpFilter(entry, release)]).map((filter) => ({
        ...filter,
        ...(entry.overriddenBy !== undefined && { name: entry.overriddenBy }),
        disabled: entry.disabled === true,
      })),
    ),
    router,
  ];
}

function encodeRouter({ checks = [], timeout = false }: CallerControls): Router {
  return create(RouterSchema, { strictCheckHeaders: [...checks], respectExpectedRqTimeout: timeout });
}

/**
 * The authorization filter as Envoy's, of which each has one action. In its usual slot there are always both, so that a
 * route's override finds them; in any other there is one, and a config that needs two travels as TypedStruct.
 */
function encodeAuthzFilters(
  { name, filter, config }: FilterEntry,
  entries: readonly FilterEntry[],
  release: ClientRelease,
): HttpFilter[] | undefined {
  const pair = filter === AUTHZ_FILTER && release === 'this' ? packedAuthz(config) : undefined;
  if (!pair) return undefined;
  if (name !== AUTHZ_FILTER) {
    if (pair.denies && pair.allows) return undefined;
    return [packedFilter(name, pair.denies ? pair.deny : pair.allow)];
  }
  if (entries.some((entry) => entry.name === DENY_SLOT)) return undefined;
  return [packedFilter(DENY_SLOT, pair.deny), packedFilter(name, pair.allow)];
}

/** A pair of authorization filters, packed. */
interface PackedPair {
  readonly deny: Any;
  readonly allow: Any;
  readonly denies: boolean;
  readonly allows: boolean;
}

/** By config: a policy for the whole mesh is in every listener of it. `null`: Envoy has no words for it. */
const packedPairs = new WeakMap<object, PackedPair | null>();

function packedAuthz(config: unknown): PackedPair | undefined {
  const isObject = typeof config === 'object' && config !== null;
  const known = isObject ? packedPairs.get(config) : undefined;
  if (known !== undefined) return known ?? undefined;
  const pair = encodeAuthz(config);
  const packed = pair && {
    ...pair,
    deny: anyPack(RBACSchema, pair.deny),
    allow: anyPack(RBACSchema, pair.allow),
  };
  if (isObject) packedPairs.set(config, packed ?? null);
  return packed;
}

function packedFilter(name: string, value: Any): HttpFilter {
  return create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value } });
}

function rbacFilter(name: string, rbac: RBAC): HttpFilter {
  return packedFilter(name, anyPack(RBACSchema, rbac));
}

function encodeHttpFilter(entry: FilterEntry, release: ClientRelease): HttpFilter {
  return create(HttpFilterSchema, {
    name: entry.name,
    configType: { case: 'typedConfig', value: httpFilterConfig(entry, release) },
    // In Envoy the router retries; a proxy that lacks this filter loses the chain's default policy and nothing else.
    isOptional: entry.filter === RETRY_FILTER || entry.optional === true,
  });
}

function httpFilterConfig({ filter, config }: FilterEntry, release: ClientRelease): Any {
  return encodeStandard(filter, config, release) ?? typedStruct(filter, config === undefined ? {} : config);
}

/** Filters of a listener that run before a chain is chosen. */
export function encodeListenerFilter(
  { name, filter, config }: FilterEntry,
  { release }: EncodeForm,
): ListenerFilter {
  const limit = release === 'this' ? encodeListenerLimit(filter, config) : undefined;
  return create(ListenerFilterSchema, {
    name,
    configType: {
      case: 'typedConfig',
      value: limit ?? typedStruct(filter, config === undefined ? {} : config),
    },
  });
}

/** Connection filters of a chain. */
export function encodeNetworkFilter({ name, filter, config }: FilterEntry, { release }: EncodeForm): Filter {
  const rbac = filter === IP_ALLOW_FILTER && release === 'this' ? encodeIpAllow(config, name) : undefined;
  return create(FilterSchema, {
    name,
    configType: {
      case: 'typedConfig',
      value: rbac
        ? anyPack(NetworkRbacSchema, rbac)
        : ((release === 'this'
            ? (encodeConnLimit(filter, config) ??
              encodeConnExtAuthz(filter, config, name) ??
              encodeConnSetFilterState(filter, config))
            : undefined) ?? typedStruct(filter, config === undefined ? {} : config)),
    },
  });
}

/** What Envoy's filter entries have no field for, by slot; for the metadata beside them. */
export function filterFlags(entries: readonly FilterEntry[]): Record<string, unknown> | undefined {
  const flagged = entries
    .filter(({ mandatory, failOpen }) => mandatory === true || failOpen === true)
    .map(
      ({ name, mandatory, failOpen }) =>
        [name, { ...(mandatory && { mandatory }), ...(failOpen && { failOpen }) }] as const,
    );
  return flagged.length === 0 ? undefined : Object.fromEntries(flagged);
}

/** @param carried slots whose override travels elsewhere */
export function encodeOverrides(
  configs: FilterConfigs | undefined,
  form: EncodeForm,
  carried: readonly string[] = [],
): { [slot: string]: Any } {
  const overrides = Object.entries(configs ?? {}).filter(
    ([slot, config]) => config !== undefined && !carried.includes(slot),
  );
  const both = !overrides.some(([slot]) => slot === DENY_SLOT);
  return sortedMap(
    overrides.flatMap(
      ([slot, config]) =>
        (both && form.release === 'this' ? authzOverrides(slot, config, form) : undefined) ?? [
          [slot, encodeOverride(slot, config, form)] as const,
        ],
    ),
  );
}

/** Overrides of both of Envoy's filters. */
function authzOverrides(
  slot: string,
  config: unknown,
  form: EncodeForm,
): (readonly [string, Any])[] | undefined {
  if (slot !== AUTHZ_FILTER) return undefined;
  if (config === null || config === true)
    return [DENY_SLOT, slot].map((one) => [one, encodeOverride(one, config, form)] as const);
  const pair = encodeAuthz(config);
  const perRoute = (rbac: RBAC): Any => anyPack(RBACPerRouteSchema, create(RBACPerRouteSchema, { rbac }));
  return (
    pair && [
      [DENY_SLOT, perRoute(pair.deny)],
      [slot, perRoute(pair.allow)],
    ]
  );
}

/**
 * A route configuration does not know which filter stands behind a slot; by convention a slot of a standard filter is
 * named after it, and then Envoy's own type is used.
 */
function encodeOverride(slot: string, config: unknown, form: EncodeForm): Any {
  if (config === null) return anyPack(FilterConfigSchema, create(FilterConfigSchema, { disabled: true }));
  // Envoy takes a config that says nothing for "as in the chain", and one that is not there for a mistake.
  if (config === true)
    return anyPack(FilterConfigSchema, create(FilterConfigSchema, { config: create(AnySchema) }));
  const standard = encodeStandardOverride(slot, config, form);
  if (standard) return standard;
  const inner = typedStruct(ROUTE_OVERRIDE, config);
  if (slot !== RETRY_FILTER) return inner;
  return anyPack(FilterConfigSchema, create(FilterConfigSchema, { config: inner, isOptional: true }));
}
