import { createRegistry, fromJson, type JsonValue, type Registry } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { Route, RouteConfig } from '@tulle/model';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { createResourceDecoder } from '../src/decode/resource.ts';

/** An object of Envoy's JSON. */
export type Json = Readonly<Record<string, JsonValue>>;

const decoder = createResourceDecoder();

/** A route configuration of another control plane, as it is read, or the paths of what is refused of it. */
export function readRoutes(json: Json, registry: Registry = createRegistry()): RouteConfig | string[] {
  const message = fromJson(RouteConfigurationSchema, json, { registry });
  const decoded = decoder.decode('route', anyPack(RouteConfigurationSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

/** The one route of a virtual host, likewise; paths below it are without what it stands in. */
export function readRoute(route: Json, registry?: Registry): Route | string[] {
  const routes = [{ name: 'one', match: { prefix: '/' }, route: { cluster: 'c' }, ...route }];
  const got = readRoutes({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes }] }, registry);
  if (Array.isArray(got)) return got.map((path) => path.replace('virtual_hosts[0].routes[0].', ''));
  return got.virtualHosts[0]?.routes[0] as Route;
}
