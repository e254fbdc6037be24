import { create, isMessage } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack, type Timestamp } from '@bufbuild/protobuf/wkt';
import { bootstrapTypes } from '@tulle/envoy-bootstrap';
import type { Listener as ModelListener, RouteScope } from '@tulle/model';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type ScopedRouteConfiguration,
  ScopedRouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/scoped_route';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeResource } from '@tulle/xds-server';
import { written } from './written.ts';

/** Scopes under the name that their listener gives them all. */
interface NamedScopes {
  readonly name: string;
  readonly scopedRouteConfigs: Any[];
  /** Why not all of them are there. */
  readonly errorState?: { readonly details: string };
}

/** The connection managers of a listener as it was given. */
export function managersOf({ filterChains, defaultFilterChain }: Listener): HttpConnectionManager[] {
  return [...filterChains, ...(defaultFilterChain ? [defaultFilterChain] : [])]
    .flatMap(({ filters }) => filters)
    .flatMap(({ configType }) => {
      const config =
        configType.case === 'typedConfig' ? anyUnpack(configType.value, bootstrapTypes) : undefined;
      return config !== undefined && isMessage(config, HttpConnectionManagerSchema) ? [config] : [];
    });
}

/** Scopes that are written into static listeners. */
function inlineScopes(listeners: readonly Listener[]): NamedScopes[] {
  return listeners.flatMap(managersOf).flatMap(({ routeSpecifier: { case: kind, value } }) => {
    if (kind !== 'scopedRoutes' || value.configSpecifier.case !== 'scopedRouteConfigurationsList') return [];
    const { scopedRouteConfigurations } = value.configSpecifier.value;
    const scopedRouteConfigs = scopedRouteConfigurations.map((one) =>
      anyPack(ScopedRouteConfigurationSchema, one),
    );
    return [{ name: value.name, scopedRouteConfigs }];
  });
}

/** Scopes of listeners in use, but for those of these names. What cannot be written is left out, and the first of it said why. */
function scopesInUse(listeners: readonly ModelListener[], but: ReadonlySet<string>): NamedScopes[] {
  return listeners
    .flatMap(({ filterChains }) => filterChains)
    .flatMap(({ handler }) => {
      if (handler.kind !== 'http' || handler.scopes === undefined || !('virtualHosts' in handler.routes))
        return [];
      const { name } = handler.routes;
      if (but.has(name)) return [];
      const scopes = handler.scopes.scopes.map((scope) =>
        written(scope.name, () => anyPack(ScopedRouteConfigurationSchema, scopeOf(scope))),
      );
      return [
        {
          name,
          scopedRouteConfigs: scopes.flatMap(({ any }) => (any === undefined ? [] : [any])),
          ...scopes.find(({ errorState }) => errorState !== undefined)?.errorState,
        },
      ];
    });
}

function scopeOf({ name, key, routes }: RouteScope): ScopedRouteConfiguration {
  const routeConfiguration =
    'virtualHosts' in routes
      ? anyUnpack(encodeResource('route', routes), RouteConfigurationSchema)
      : undefined;
  return create(ScopedRouteConfigurationSchema, {
    name,
    key: { fragments: key.map((text) => ({ type: { case: 'stringKey' as const, value: text } })) },
    ...('routeConfigName' in routes && { routeConfigurationName: routes.routeConfigName }),
    ...(routeConfiguration && { routeConfiguration }),
  });
}

/** Fields of `envoy.admin.v3.ScopedRoutesConfigDump`: what is static, and everything else that is in use. */
export function scopedRoutesDump(
  statics: readonly Listener[],
  inUse: readonly ModelListener[],
  versionInfo: string,
  lastUpdated: Timestamp,
): Record<string, unknown> {
  const inline = inlineScopes(statics);
  const others = scopesInUse(inUse, new Set(inline.map(({ name }) => name)));
  return {
    inlineScopedRouteConfigs: inline.map((scopes) => ({ ...scopes, lastUpdated })),
    dynamicScopedRouteConfigs: others.map((scopes) => ({ ...scopes, versionInfo, lastUpdated })),
  };
}
