import type { HttpHandler, RouteScope, RouteScopes, ScopeKeyPart } from '@tulle/model';
import type { ConfigSource } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { ScopedRouteConfiguration } from '@tulle/xds-proto/envoy/config/route/v3/scoped_route';
import type {
  ScopedRoutes,
  ScopedRoutes_ScopeKeyBuilder_FragmentBuilder as FragmentBuilder,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { needFrom, readSource } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { canonicalName } from './resource-name.ts';
import { decodeRouteConfig } from './route-config.ts';
import { present } from './values.ts';

/** By which all scopes are asked for that a server has. */
export const ALL_SCOPES = '*';

/** Routes by scopes. Requests in none have none: Envoy has no word for what else would become of them. */
export function decodeScopedRoutes(
  context: DecodeContext,
  scoped: ScopedRoutes,
  path: string,
): Pick<HttpHandler, 'routes' | 'scopes'> {
  const fragments = scoped.scopeKeyBuilder?.fragments ?? [];
  if (fragments.length === 0) context.refuse(`${path}.scope_key_builder.fragments`, 'is empty');
  return {
    routes: { name: scoped.name, virtualHosts: [] },
    scopes: {
      key: fragments.map((fragment, index) =>
        decodePart(context, fragment, `${path}.scope_key_builder.fragments[${index}]`),
      ),
      scopes: decodeScopes(context, scoped, path),
    },
  };
}

function decodePart(context: DecodeContext, { type }: FragmentBuilder, path: string): ScopeKeyPart {
  const at = `${path}.header_value_extractor`;
  if (type.case === undefined) {
    context.refuse(path, 'names nothing: give header_value_extractor');
    return { header: '', element: 0 };
  }
  const { name, elementSeparator: separator, extractType } = type.value;
  if (name === '') context.refuse(`${at}.name`, 'is missing');
  if (extractType.case === undefined) context.refuse(at, 'names no element: give index or element');
  if (extractType.case === 'index' && extractType.value > 0 && separator === '')
    context.refuse(`${at}.index`, 'must be 0 without an element_separator');
  const element = extractType.case === 'element' ? extractType.value : undefined;
  if (element?.separator === '') context.refuse(`${at}.element.separator`, 'is missing');
  if (element?.key === '') context.refuse(`${at}.element.key`, 'is missing');
  return present({
    header: name.toLowerCase(),
    separator: separator === '' ? undefined : separator,
    element:
      extractType.case === 'index'
        ? extractType.value
        : { key: element?.key ?? '', separator: element?.separator ?? '' },
  });
}

function decodeScopes(
  context: DecodeContext,
  { configSpecifier, rdsConfigSource }: ScopedRoutes,
  path: string,
): RouteScopes['scopes'] {
  switch (configSpecifier.case) {
    case 'scopedRouteConfigurationsList': {
      const at = `${path}.scoped_route_configurations_list.scoped_route_configurations`;
      return configSpecifier.value.scopedRouteConfigurations.map((scope, index) => {
        const here = `${at}[${index}]`;
        const decoded = decodeScope(context, scope, here);
        if ('routeConfigName' in decoded.routes)
          needFrom(
            context,
            rdsConfigSource,
            `${path}.rds_config_source`,
            'route',
            decoded.routes.routeConfigName,
          );
        return decoded;
      });
    }
    case 'scopedRds':
      decodeDiscovery(context, configSpecifier.value.scopedRdsConfigSource, rdsConfigSource, path);
      return [];
    default:
      context.refuse(path, 'names no scopes: give scoped_route_configurations_list or scoped_rds');
      return [];
  }
}

/** Scopes that are discovered name routes, which come from where the handler says. */
function decodeDiscovery(
  context: DecodeContext,
  scopes: ConfigSource | undefined,
  routes: ConfigSource | undefined,
  path: string,
): void {
  const read = readSource(context, scopes, `${path}.scoped_rds.scoped_rds_config_source`);
  const ofRoutes = readSource(context, routes, `${path}.rds_config_source`);
  if (read && ofRoutes) context.need({ kind: 'scoped-route', name: ALL_SCOPES, ...read, routes: ofRoutes });
}

/** @param path of the message, `''` when it is a resource of its own */
export function decodeScope(
  context: DecodeContext,
  { name, key, routeConfigurationName, routeConfiguration }: ScopedRouteConfiguration,
  path: string,
): RouteScope {
  const base = path === '' ? '' : `${path}.`;
  const fragments = key?.fragments ?? [];
  if (fragments.length === 0) context.refuse(`${base}key.fragments`, 'is empty');
  if (routeConfiguration !== undefined && routeConfigurationName !== '')
    context.refuse(`${base}route_configuration`, 'must not stand beside route_configuration_name');
  if (routeConfiguration === undefined && routeConfigurationName === '')
    context.refuse(`${base}route_configuration_name`, 'is missing');
  return {
    name,
    key: fragments.map(({ type }, index) => {
      if (type.case === undefined)
        context.refuse(`${base}key.fragments[${index}]`, 'names nothing: give string_key');
      return type.case === undefined ? '' : type.value;
    }),
    routes:
      routeConfiguration === undefined
        ? { routeConfigName: canonicalName(routeConfigurationName) }
        : decodeRouteConfig(context, routeConfiguration, `${base}route_configuration`),
  };
}
