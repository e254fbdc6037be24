import { type DescMessage, isMessage, type Message, type Registry } from '@bufbuild/protobuf';
import { type Any, anyUnpack, AnySchema } from '@bufbuild/protobuf/wkt';
import { Cluster_DiscoveryType, ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { ConfigSource } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import {
  FilterSchema,
  ListenerFilterSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import {
  RouteAction_RequestMirrorPolicySchema,
  RouteActionSchema,
  WeightedCluster_ClusterWeightSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { ScopedRouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/scoped_route';
import { ClusterConfigSchema } from '@tulle/xds-proto/envoy/extensions/clusters/aggregate/v3/cluster';
import {
  HttpFilterSchema,
  RdsSchema,
  ScopedRoutesSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import {
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxySchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { RouteSchema as UdpRouteSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/route';
import { UdpProxyConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy';
import { SdsSecretConfigSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { CLUSTER, ENDPOINT, EXTENSION, ROUTE, SECRET } from './resource-types.ts';

/** A resource that another one names. */
export interface Reference {
  readonly typeUrl: string;
  readonly name: string;
  /** Where it is named: JSON pointer in the message, fields as protobuf spells them. */
  readonly path: string;
  /** Whether a client that takes the naming one asks for it, too. Clusters that routes name are not: which ones, it decides. */
  readonly followed: boolean;
}

/** Messages within messages that are looked into. */
const MAX_DEPTH = 60;

/**
 * Everything in a resource that names another one of the same server: over ADS, or without a source (`self`).
 */
export function referencesOf(schema: DescMessage, message: Message, registry: Registry): Reference[] {
  const found: Reference[] = [];
  // A scope that is discovered does not say where its routes come from; its listener does, and nearly always that is here.
  let scopesLeadHere = true;
  walk(schema, message, '', 0);
  return found;

  function note(typeUrl: string, name: string, path: string, followed: boolean = typeUrl !== CLUSTER): void {
    if (name !== '') found.push({ typeUrl, name, path, followed });
  }

  function walk(desc: DescMessage, one: Message, path: string, depth: number): void {
    // Structs are plain JSON, in which nobody names anything.
    if (depth > MAX_DEPTH || typeof one !== 'object' || !('$typeName' in one)) return;
    if (isMessage(one, AnySchema)) {
      const inner = unpack(one, registry);
      if (inner) walk(inner.schema, inner.message, path, depth + 1);
      return;
    }
    look(one, path);
    const values = new Map<string, unknown>(Object.entries(one));
    for (const field of desc.fields) {
      const inner = field.message;
      if (!inner) continue;
      const value = field.oneof
        ? oneofValue(values.get(field.oneof.localName), field.localName)
        : values.get(field.localName);
      if (value === undefined || value === null) continue;
      const at = `${path}/${field.name}`;
      if (field.fieldKind === 'list')
        for (const [i, each] of (value as readonly Message[]).entries())
          walk(inner, each, `${at}/${i}`, depth + 1);
      else if (field.fieldKind === 'map')
        for (const [key, each] of Object.entries(value))
          walk(inner, each as Message, `${at}/${key}`, depth + 1);
      else if (typeof value === 'object' && '$typeName' in value)
        walk(inner, value as Message, at, depth + 1);
    }
  }

  function look(one: Message, path: string): void {
    if (isMessage(one, ClusterSchema)) {
      const { clusterDiscoveryType: discovery, edsClusterConfig: eds } = one;
      if (
        discovery.case === 'type' &&
        discovery.value === Cluster_DiscoveryType.EDS &&
        isHere(eds?.edsConfig)
      )
        note(ENDPOINT, eds?.serviceName || one.name, `${path}/eds_cluster_config`);
    } else if (isMessage(one, RdsSchema)) {
      if (isHere(one.configSource)) note(ROUTE, one.routeConfigName, `${path}/route_config_name`);
    } else if (isMessage(one, ScopedRoutesSchema)) scopesLeadHere = isHere(one.rdsConfigSource);
    else if (isMessage(one, ScopedRouteConfigurationSchema)) {
      // Of a scope on demand a client asks for the routes when a request is for it.
      if (scopesLeadHere)
        note(ROUTE, one.routeConfigurationName, `${path}/route_configuration_name`, !one.onDemand);
    } else if (isMessage(one, SdsSecretConfigSchema)) {
      if (isHere(one.sdsConfig)) note(SECRET, one.name, `${path}/name`);
    } else if (
      isMessage(one, HttpFilterSchema) ||
      isMessage(one, FilterSchema) ||
      isMessage(one, ListenerFilterSchema)
    ) {
      if (one.configType.case === 'configDiscovery' && isHere(one.configType.value.configSource))
        note(EXTENSION, one.name, `${path}/name`);
    } else if (isMessage(one, RouteActionSchema)) {
      if (one.clusterSpecifier.case === 'cluster')
        note(CLUSTER, one.clusterSpecifier.value, `${path}/cluster`);
    } else if (isMessage(one, TcpProxySchema)) {
      if (one.clusterSpecifier.case === 'cluster')
        note(CLUSTER, one.clusterSpecifier.value, `${path}/cluster`);
    } else if (isMessage(one, UdpProxyConfigSchema)) {
      if (one.routeSpecifier.case === 'cluster') note(CLUSTER, one.routeSpecifier.value, `${path}/cluster`);
    } else if (isMessage(one, UdpRouteSchema)) note(CLUSTER, one.cluster, `${path}/cluster`);
    else if (isMessage(one, WeightedCluster_ClusterWeightSchema)) note(CLUSTER, one.name, `${path}/name`);
    else if (isMessage(one, TcpProxy_WeightedCluster_ClusterWeightSchema))
      note(CLUSTER, one.name, `${path}/name`);
    else if (isMessage(one, RouteAction_RequestMirrorPolicySchema))
      note(CLUSTER, one.cluster, `${path}/cluster`);
    else if (isMessage(one, ClusterConfigSchema))
      for (const [i, name] of one.clusters.entries()) note(CLUSTER, name, `${path}/clusters/${i}`);
  }
}

/** Clusters whose endpoints come over the same stream, as a set keeps them. */
export function discoveredOf(message: Message): { cluster: string; endpoints: string } | undefined {
  if (!isMessage(message, ClusterSchema)) return undefined;
  const { clusterDiscoveryType: discovery, edsClusterConfig: eds } = message;
  if (discovery.case !== 'type' || discovery.value !== Cluster_DiscoveryType.EDS || !isHere(eds?.edsConfig))
    return undefined;
  return { cluster: message.name, endpoints: eds?.serviceName || message.name };
}

/** Whether a source means the stream on which the resource came. */
function isHere(source: ConfigSource | undefined): boolean {
  const kind = source?.configSourceSpecifier.case;
  return kind === 'ads' || kind === 'self';
}

function oneofValue(oneof: unknown, localName: string): unknown {
  const { case: set, value } = (oneof ?? {}) as { readonly case?: string; readonly value?: unknown };
  return set === localName ? value : undefined;
}

function unpack(any: Any, registry: Registry): { schema: DescMessage; message: Message } | undefined {
  try {
    const message = anyUnpack(any, registry);
    const schema = message && registry.getMessage(message.$typeName);
    return message && schema ? { schema, message } : undefined;
  } catch {
    return undefined; // bytes that are no such message are the client's to refuse
  }
}
