import { clone, type DescMessage, type Message } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { bootstrapTypes, readBootstrap } from '@tulle/envoy-bootstrap';
import { type Cluster, ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { type Listener, ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route';
import type { HttpConnectionManager } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { configNames, configText } from '../corpus.ts';

/** A resource that is good, or that this proxy refuses by design. */
export interface Base {
  /** Configuration and place, e.g. `cors listener 0`. */
  readonly from: string;
  readonly schema: DescMessage;
  readonly message: Message;
}

export const ODD_LISTENER = 'odd';
export const ODD_CLUSTER = 'odd';
/** Under these names somebody has asked for routes and endpoints. */
export const ODD_ROUTES = 'odd-routes';
export const ODD_ENDPOINTS = 'odd-endpoints';

/** Everything that the corpus of configurations holds, as resources. */
export function bases(directory: string): Base[] {
  return configNames.flatMap((name) => {
    const { bootstrap } = readBootstrap(
      { inline: { name, text: configText(name, directory) } },
      { allowUnknownFields: false },
    );
    const listeners = bootstrap.staticResources?.listeners ?? [];
    const clusters = bootstrap.staticResources?.clusters ?? [];
    return [
      ...listeners.map((listener, index) => listenerBase(`${name} listener ${index}`, listener)),
      ...listeners.flatMap((listener, index) =>
        routesOf(listener).map((routes) => ({
          from: `${name} routes of listener ${index}`,
          schema: RouteConfigurationSchema,
          message: { ...clone(RouteConfigurationSchema, routes), name: ODD_ROUTES },
        })),
      ),
      ...clusters.map((cluster, index) => clusterBase(`${name} cluster ${index}`, cluster)),
      ...clusters.flatMap((cluster, index) =>
        endpointsOf(cluster).map((endpoints) => ({
          from: `${name} endpoints of cluster ${index}`,
          schema: ClusterLoadAssignmentSchema,
          message: { ...clone(ClusterLoadAssignmentSchema, endpoints), clusterName: ODD_ENDPOINTS },
        })),
      ),
    ];
  });
}

function listenerBase(from: string, listener: Listener): Base {
  const message = clone(ListenerSchema, listener);
  message.name = ODD_LISTENER;
  return { from, schema: ListenerSchema, message };
}

function clusterBase(from: string, cluster: Cluster): Base {
  const message = clone(ClusterSchema, cluster);
  message.name = ODD_CLUSTER;
  return { from, schema: ClusterSchema, message };
}

function routesOf({ filterChains }: Listener): RouteConfiguration[] {
  return filterChains.flatMap(({ filters }) =>
    filters.flatMap(({ configType }) => {
      if (configType.case !== 'typedConfig' || !configType.value.typeUrl.endsWith('.HttpConnectionManager'))
        return [];
      const manager = anyUnpack(configType.value, bootstrapTypes) as HttpConnectionManager;
      return manager.routeSpecifier.case === 'routeConfig' ? [manager.routeSpecifier.value] : [];
    }),
  );
}

function endpointsOf({ loadAssignment }: Cluster): ClusterLoadAssignment[] {
  return loadAssignment ? [loadAssignment] : [];
}
