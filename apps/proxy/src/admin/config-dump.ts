import {
  create,
  createRegistry,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Registry,
  toJson,
} from '@bufbuild/protobuf';
import { type Any, anyPack, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { bootstrapTypes } from '@tulle/envoy-bootstrap';
import {
  BootstrapConfigDumpSchema,
  SecretsConfigDumpSchema,
} from '@tulle/xds-proto/envoy/admin/v3/config_dump';
import {
  ClustersConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
  ScopedRoutesConfigDumpSchema,
} from '@tulle/xds-proto/envoy/admin/v3/config_dump_shared';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClusterLoadAssignmentSchema } from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { type Listener, ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route';
import { ScopedRouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/scoped_route';
import { SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { encodeResource } from '@tulle/xds-server';
import { RE2JS } from 're2js';
import { type AdminHost, jsonReply, type PageReply } from './admin-host.ts';
import { redactJson } from './redact.ts';
import { managersOf, scopedRoutesDump } from './scoped-routes-dump.ts';
import { written } from './written.ts';

const TYPES: Registry = createRegistry(
  bootstrapTypes,
  BootstrapConfigDumpSchema,
  ClustersConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
  ScopedRoutesConfigDumpSchema,
  SecretsConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ClusterSchema,
  ListenerSchema,
  RouteConfigurationSchema,
  ScopedRouteConfigurationSchema,
  ClusterLoadAssignmentSchema,
  SecretSchema,
);

/** One of the messages of a dump, as JSON. */
interface Dump {
  readonly desc: DescMessage;
  readonly json: JsonObject;
}

/**
 * `envoy.admin.v3.ConfigDump`: what the bootstrap says as it was given, discovered resources as they are in use. Secrets are redacted.
 */
export function configDump(host: AdminHost, query: URLSearchParams): PageReply {
  const resource = query.get('resource');
  const mask = query.get('mask');
  const pattern = query.get('name_regex');
  let named: ((name: string) => boolean) | undefined;
  if (pattern !== null) {
    if (pattern.length > 1_000) return { status: 400, body: 'name_regex is longer than 1000 characters.\n' };
    try {
      const expression = RE2JS.compile(pattern);
      named = (name) => expression.matcher(name).matches();
    } catch (error) {
      return {
        status: 400,
        body: `name_regex is no expression: ${error instanceof Error ? error.message : String(error)}\n`,
      };
    }
  }
  let dumps = dumpsOf(host, query.has('include_eds')).map(({ desc, json }) => ({
    desc,
    json: redactJson(json) as JsonObject,
  }));
  if (named !== undefined) {
    const keep = named;
    dumps = dumps
      .filter(({ desc }) => desc !== BootstrapConfigDumpSchema)
      .map(({ desc, json }) => ({ desc, json: onlyNamed(json, keep) }));
  }
  if (resource === null)
    return jsonReply({
      configs: dumps.map(({ desc, json }) => typed(desc, mask === null ? json : picked(json, mask))),
    });
  for (const { desc, json } of dumps) {
    const field = desc.fields.find(({ name }) => name === resource);
    const items = json[resource];
    if (field?.message === undefined || field.message === null) continue;
    const item = field.message;
    return jsonReply({
      configs: (Array.isArray(items) ? items : []).map((one) =>
        typed(item, mask === null ? (one as JsonObject) : picked(one as JsonObject, mask)),
      ),
    });
  }
  return { status: 404, contentType: 'text/plain', body: `${resource} not found in config dump\n` };
}

function dumpsOf(host: AdminHost, withEndpoints: boolean): Dump[] {
  const at = timestampFromMs(host.startedMs);
  const bootstrap = host.bootstrap();
  const discovered = host.discovered();
  const version = host.discovery()?.changeId ?? '';
  const statics = bootstrap.staticResources;
  const state = (key: string, any: Any | undefined): Record<string, unknown> => ({
    versionInfo: version,
    lastUpdated: at,
    ...(any && { [key]: any }),
  });
  const dump = (desc: DescMessage, fields: Record<string, unknown>): Dump => ({
    desc,
    json: toJson(desc, create(desc, fields), { registry: TYPES, useProtoFieldName: true }) as JsonObject,
  });
  return [
    dump(BootstrapConfigDumpSchema, { bootstrap, lastUpdated: at }),
    dump(ClustersConfigDumpSchema, {
      versionInfo: version,
      staticClusters: (statics?.clusters ?? []).map((one) => ({
        cluster: anyPack(ClusterSchema, one),
        lastUpdated: at,
      })),
      dynamicActiveClusters: (discovered?.clusters ?? []).map((one) => {
        const { any, errorState } = written(one.name, () => encodeResource('cluster', one));
        return { ...state('cluster', any), ...errorState };
      }),
    }),
    ...(withEndpoints
      ? [
          dump(EndpointsConfigDumpSchema, {
            staticEndpointConfigs: (statics?.clusters ?? []).flatMap(({ loadAssignment }) =>
              loadAssignment === undefined
                ? []
                : [{ endpointConfig: anyPack(ClusterLoadAssignmentSchema, loadAssignment), lastUpdated: at }],
            ),
            dynamicEndpointConfigs: (discovered?.endpoints ?? []).map((one) => {
              const { any, errorState } = written(one.name, () => encodeResource('endpoint', one));
              return { ...state('endpointConfig', any), ...errorState };
            }),
          }),
        ]
      : []),
    dump(ListenersConfigDumpSchema, {
      versionInfo: version,
      staticListeners: (statics?.listeners ?? []).map((one) => ({
        listener: anyPack(ListenerSchema, one),
        lastUpdated: at,
      })),
      dynamicListeners: (discovered?.listeners ?? []).map((one) => {
        const { any, errorState } = written(one.name, () => encodeResource('listener', one));
        return { name: one.name, activeState: state('listener', any), ...errorState };
      }),
    }),
    dump(
      ScopedRoutesConfigDumpSchema,
      scopedRoutesDump(statics?.listeners ?? [], host.inUse()?.listeners ?? [], version, at),
    ),
    dump(RoutesConfigDumpSchema, {
      staticRouteConfigs: (statics?.listeners ?? []).flatMap(inlineRoutes).map((one) => ({
        routeConfig: anyPack(RouteConfigurationSchema, one),
        lastUpdated: at,
      })),
      dynamicRouteConfigs: (discovered?.routes ?? []).map((one) => {
        const { any, errorState } = written(one.name, () => encodeResource('route', one));
        return { ...state('routeConfig', any), ...errorState };
      }),
    }),
    dump(SecretsConfigDumpSchema, {
      staticSecrets: (statics?.secrets ?? []).map((one) => ({
        name: one.name,
        lastUpdated: at,
        secret: anyPack(SecretSchema, one),
      })),
    }),
  ];
}

/** Route configurations that are written into a listener. */
function inlineRoutes(listener: Listener): RouteConfiguration[] {
  return managersOf(listener).flatMap(({ routeSpecifier }) =>
    routeSpecifier.case === 'routeConfig' ? [routeSpecifier.value] : [],
  );
}

const typed = (desc: DescMessage, json: JsonObject): JsonObject => ({
  '@type': `type.googleapis.com/${desc.typeName}`,
  ...json,
});

/** The fields of a field mask, and `@type`. */
function picked(json: JsonObject, mask: string): JsonObject {
  const result: JsonObject = {};
  for (const path of mask.split(',')) copyPath(json, result, path.trim().split('.'));
  return result;
}

function copyPath(from: JsonObject, to: JsonObject, [first = '', ...rest]: readonly string[]): void {
  if (!Object.hasOwn(from, first)) return;
  const value = from[first] as JsonValue;
  if (from['@type'] !== undefined) to['@type'] = from['@type'];
  if (rest.length === 0) {
    to[first] = value;
    return;
  }
  if (Array.isArray(value)) {
    const before = Array.isArray(to[first]) ? (to[first] as JsonObject[]) : value.map((): JsonObject => ({}));
    for (const [index, item] of value.entries())
      if (isRecord(item)) copyPath(item, before[index] as JsonObject, rest);
    to[first] = before;
  } else if (isRecord(value)) copyPath(value, (to[first] ??= {}) as JsonObject, rest);
}

const isRecord = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lists of a dump without the resources whose names do not match. */
function onlyNamed(json: JsonObject, matches: (name: string) => boolean): JsonObject {
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.filter((item) => isRecord(item) && matches(nameIn(item))) : value,
    ]),
  );
}

/** The resource's name: its entry's own, or that of the message in it. */
function nameIn(entry: JsonObject): string {
  if (typeof entry['name'] === 'string') return entry['name'];
  for (const value of Object.values(entry)) {
    if (!isRecord(value)) continue;
    const name = value['name'] ?? value['cluster_name'];
    if (typeof name === 'string') return name;
  }
  return '';
}
