import { isMessage, type Message } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  AUTHZ_FILTER,
  CONN_AUTHZ_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CONN_SET_FILTER_STATE_FILTER,
  type AuthzFilterConfig,
  type FilterConfigs,
  type FilterEntry,
  IP_ALLOW_FILTER,
  type OnDemand,
  RETRY_FILTER,
} from '@tulle/model';
import type { ExtensionConfigSource } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import { FilterConfigSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import {
  type RBAC,
  RBACPerRouteSchema,
  RBACSchema as RbacSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { OnDemandSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/on_demand/v3/on_demand';
import { type Router, RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import { ExtAuthzSchema as ConnExtAuthzSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/ext_authz/v3/ext_authz';
import {
  type RBAC as NetworkRbac,
  RBACSchema as NetworkRbacSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import { ConfigSchema as NetworkSetFilterStateSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state';
import type { HttpFilter } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { decodeConnAuthz } from './authz/conn-rbac.ts';
import { decodeAuthz, joinAuthz } from './authz/rbac.ts';
import { decodeConnExtAuthz } from './conn-ext-authz.ts';
import { decodeConnLimit } from './conn-limits.ts';
import { type DecodeContext, typeNameOf } from './context.ts';
import { discoveredConfig, REFUSES_REQUESTS } from './extension.ts';
import { type Extras, readObject } from './extras.ts';
import { decodeIpAllow } from './ip-allow.ts';
import { decodeOnDemand } from './on-demand.ts';
import { decodeConnSetFilterState } from './set-filter-state.ts';
import { decodeStandard, decodeStandardOverride, type KnownFilter } from './standard-filters.ts';
import { BARE_VALUE, DENY_SLOT } from '../wire.ts';
import { hasNoEffect } from './no-effect.ts';
import { isObject, ownValue, structOf } from './values.ts';

/** An entry of any of Envoy's filter lists. */
interface NamedConfig {
  readonly name: string;
  /** Whether a proxy that has no such filter goes without it. */
  readonly isOptional?: boolean;
  readonly configType:
    | { readonly case: 'typedConfig'; readonly value: Any }
    | { readonly case: 'configDiscovery'; readonly value: ExtensionConfigSource }
    | { readonly case: undefined; readonly value?: undefined };
}

/**
 * Opens a filter's config.
 * @param refuses what stands for a config that is to be discovered and has not come; absent: discovery is reported by the field
 *   walk
 * @returns `undefined` also for a filter that does nothing here, and for an optional one that this proxy lacks
 */
export function openFilter(
  context: DecodeContext,
  { name, configType, isOptional }: NamedConfig,
  path: string,
  refuses?: Any,
): Message | undefined {
  if (configType.case === 'configDiscovery')
    return refuses && discoveredConfig(context, name, configType.value, refuses, `${path}.config_discovery`);
  if (configType.case === 'typedConfig') {
    if (hasNoEffect(typeNameOf(configType.value))) return undefined;
    if (isOptional === true && !context.knows(configType.value)) return undefined;
  }
  return context.open(
    configType.case === 'typedConfig' ? configType.value : undefined,
    `${path}.typed_config`,
  );
}

/** What the filters of an HttpConnectionManager stand for. */
export interface DecodedFilters {
  /** The chain without its router. */
  readonly filters: FilterEntry[];
  readonly onDemand: OnDemand | undefined;
}

/** And what their router says. */
export interface DecodedChain {
  readonly chain: DecodedFilters;
  readonly router: { readonly message: Router; readonly path: string } | undefined;
}

/** The chain of an HttpConnectionManager. */
export function decodeHttpFilters(
  context: DecodeContext,
  filters: readonly HttpFilter[],
  flags: FlagReader,
  path: string,
): DecodedChain {
  const entries: FilterEntry[] = [];
  let router: DecodedChain['router'];
  let onDemand: OnDemand | undefined;
  let denied: AuthzFilterConfig | undefined;
  for (const [index, filter] of filters.entries()) {
    const here = `${path}[${index}]`;
    const message = openFilter(context, filter, here, REFUSES_REQUESTS);
    if (!message) continue;
    if (isMessage(message, RouterSchema)) {
      if (index < filters.length - 1) context.refuse(here, 'the router must be the last filter');
      router = { message, path: `${here}.typed_config` };
      continue;
    }
    if (index === filters.length - 1)
      context.refuse(here, 'the last filter must be envoy.extensions.filters.http.router.v3.Router');
    if (isMessage(message, OnDemandSchema)) {
      if (!filter.disabled) onDemand = decodeOnDemand(context, message, `${here}.typed_config`);
      continue;
    }
    const next = filters[index + 1];
    if (
      isMessage(message, RbacSchema) &&
      filter.name === DENY_SLOT &&
      next &&
      isAuthzSlot(next) &&
      allowsNothing(message)
    ) {
      denied = decodeAuthz(context, message, `${here}.typed_config`);
      continue;
    }
    const struct = structOf(message);
    if (struct && hasNoEffect(struct.name)) continue;
    let known = httpFilter(context, message, `${here}.typed_config`);
    if (known && denied) known = { ...known, config: joinAuthz(denied, known.config as AuthzFilterConfig) };
    denied = undefined;
    if (known)
      entries.push({
        name: filter.name,
        ...known,
        ...flags.of(filter.name),
        ...(filter.disabled && { disabled: true }),
        // Whether this proxy has a filter of another package, its engine knows.
        ...(filter.isOptional && struct && known.filter !== RETRY_FILTER && { optional: true }),
      });
  }
  if (filters.length === 0) context.refuse(path, 'is empty: it must at least hold the router');
  for (const { name } of entries) if (name === '') context.refuse(path, 'holds a filter without name');
  return { chain: { filters: toldApart(entries), onDemand }, router };
}

/** Envoy lets filters share a name, by which routes override all of them; here each has a name of its own. */
function toldApart(entries: readonly FilterEntry[]): FilterEntry[] {
  const taken = new Set(entries.map(({ name }) => name));
  const seen = new Set<string>();
  return entries.map((entry) => {
    const { name } = entry;
    if (!seen.has(name)) {
      seen.add(name);
      return entry;
    }
    let nth = 2;
    while (taken.has(`${name}#${nth}`)) nth += 1;
    taken.add(`${name}#${nth}`);
    return { ...entry, name: `${name}#${nth}`, overriddenBy: name };
  });
}

/** Two that allow must both allow, which one filter here would not ask. */
function allowsNothing({ rules, matcher, shadowMatcher }: RBAC): boolean {
  return !matcher && !shadowMatcher && (rules === undefined || rules.action === Action.DENY);
}

/** The other half of the authorization filter, by which it is known. */
function isAuthzSlot({ name, configType }: HttpFilter): boolean {
  return (
    name === AUTHZ_FILTER &&
    configType.case === 'typedConfig' &&
    typeNameOf(configType.value) === RbacSchema.typeName
  );
}

/** Id and config of what an HTTP filter's message stands for. */
function httpFilter(context: DecodeContext, message: Message, path: string): KnownFilter | undefined {
  return decodeStandard(context, message, path) ?? customFilter(context, message, path);
}

/** Id and config of what a network filter's message stands for. @returns `undefined` also for one that is off */
export function networkFilter(
  context: DecodeContext,
  message: Message,
  path: string,
): KnownFilter | undefined {
  const struct = structOf(message);
  if (struct && hasNoEffect(struct.name)) return undefined;
  if (isMessage(message, NetworkRbacSchema)) return networkRbac(context, message, path);
  if (isMessage(message, ConnExtAuthzSchema))
    return { filter: CONN_EXT_AUTHZ_FILTER, config: decodeConnExtAuthz(context, message, path) };
  if (isMessage(message, NetworkSetFilterStateSchema))
    return {
      filter: CONN_SET_FILTER_STATE_FILTER,
      config: decodeConnSetFilterState(context, message, path),
    };
  const limit = decodeConnLimit(context, message, path);
  if (limit !== undefined) return limit === 'off' ? undefined : limit;
  return customFilter(context, message, path);
}

/** Peers' addresses alone are judged before TLS; everything else after it. */
function networkRbac(context: DecodeContext, message: NetworkRbac, path: string): KnownFilter {
  const addresses = decodeIpAllow(message);
  return addresses
    ? { filter: IP_ALLOW_FILTER, config: addresses }
    : { filter: CONN_AUTHZ_FILTER, config: decodeConnAuthz(context, message, path) };
}

/** A filter that travels as TypedStruct; whether this proxy has it, the engine decides. */
export function customFilter(
  context: DecodeContext,
  message: Message,
  path: string,
): KnownFilter | undefined {
  const struct = structOf(message);
  if (struct && struct.name !== '') return { filter: struct.name, config: struct.config };
  context.refuse(
    path,
    struct
      ? 'has no type_url, so it names no filter'
      : `${message.$typeName} is no filter that this proxy has`,
  );
  return undefined;
}

/** Slot names are what routes override by, so they tell filters apart. */
export function checkNames(context: DecodeContext, entries: readonly FilterEntry[], path: string): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    if (name === '') context.refuse(path, 'holds a filter without name');
    else if (seen.has(name)) context.refuse(path, `holds two filters named "${name}"`);
    seen.add(name);
  }
}

/** What the metadata beside a filter list says of its entries. */
export interface FlagReader {
  of(slot: string): Pick<FilterEntry, 'mandatory' | 'failOpen'>;
  end(): void;
}

/** @param key in the metadata under which the flags are */
export function readFlags(context: DecodeContext, extras: Extras, key: string, path: string): FlagReader {
  const flags = extras.object(key) ?? {};
  const asked = new Set<string>();
  return {
    of(slot) {
      asked.add(slot);
      const given = ownValue(flags, slot);
      if (given === undefined) return {};
      const read = readObject(
        context,
        isObject(given) ? given : { [BARE_VALUE]: given },
        `${path}.${key}.${slot}`,
      );
      const [mandatory, failOpen] = [read.flag('mandatory'), read.flag('failOpen')];
      read.end();
      return { ...(mandatory === true && { mandatory }), ...(failOpen === true && { failOpen }) };
    },
    end() {
      for (const slot of Object.keys(flags)) {
        if (!asked.has(slot)) context.refuse(`${path}.${key}.${slot}`, 'belongs to no filter of the list');
      }
    },
  };
}

/** `typed_per_filter_config` by slot. @returns `undefined` when there is none */
export function decodeOverrides(
  context: DecodeContext,
  configs: { readonly [slot: string]: Any },
  path: string,
): FilterConfigs | undefined {
  const overrides: [string, unknown][] = [];
  for (const [slot, any] of Object.entries(configs)) {
    const here = `${path}[${JSON.stringify(slot)}]`;
    const message = context.open(any, here);
    const config = message && decodeOverride(context, message, here);
    if (config !== undefined) overrides.push([slot, config]);
  }
  return overrides.length === 0 ? undefined : joinHalves(Object.fromEntries(overrides), configs);
}

/** Both halves of the authorization filter are overridden together. */
function joinHalves(overrides: FilterConfigs, configs: { readonly [slot: string]: Any }): FilterConfigs {
  const { [DENY_SLOT]: deny, ...rest } = overrides;
  const allow = rest[AUTHZ_FILTER];
  const types = [DENY_SLOT, AUTHZ_FILTER].map((slot) => typeNameOf(configs[slot]));
  if ((deny === null || deny === true) && deny === allow) return rest;
  if (!types.every((type) => type === RBACPerRouteSchema.typeName) || !deny || !allow) return overrides;
  if (!deniesOnly(deny as AuthzFilterConfig)) return overrides;
  return {
    ...rest,
    [AUTHZ_FILTER]: joinAuthz(deny as AuthzFilterConfig, allow as AuthzFilterConfig),
  };
}

function deniesOnly({ policies, defaultAction, firstMatch, shadowFirstMatch }: AuthzFilterConfig): boolean {
  return (
    !firstMatch &&
    !shadowFirstMatch &&
    defaultAction !== 'deny' &&
    policies.every(({ action, shadow }) => action === 'DENY' || shadow === true)
  );
}

function decodeOverride(context: DecodeContext, message: Message, path: string): unknown {
  if (isMessage(message, FilterConfigSchema)) {
    if (message.disabled) return null;
    // Envoy wants it there, and empty.
    if (!message.config || message.config.typeUrl === '') return true;
    if (message.isOptional && !context.knows(message.config)) return undefined;
    const inner = context.open(message.config, `${path}.config`);
    return inner && !isMessage(inner, FilterConfigSchema)
      ? decodeOverride(context, inner, `${path}.config`)
      : undefined;
  }
  return (decodeStandardOverride(context, message, path) ?? customFilter(context, message, path))?.config;
}
