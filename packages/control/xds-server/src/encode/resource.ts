import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { TulleError } from '@tulle/filter';
import type { Cluster, EndpointSet, Listener, RouteConfig } from '@tulle/model';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClusterLoadAssignmentSchema } from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import type { ResourceKind } from '../provider.ts';
import { encodeCluster } from './cluster.ts';
import { encodeEndpointSet } from './endpoints.ts';
import { type EncodeForm, OWN_FORM } from './form.ts';
import { encodeGrpcCluster } from './grpc/cluster.ts';
import { encodeGrpcEndpoints } from './grpc/endpoints.ts';
import { encodeGrpcListener } from './grpc/listener.ts';
import { encodeGrpcRoutes } from './grpc/route-config.ts';
import { encodeListener } from './listener.ts';
import { encodeRouteConfig } from './route-config.ts';
import { type WireResource, wireResource } from './wire-resource.ts';

/** A resource as it goes over the wire. Made once for each model object and shared by all streams. */
export interface EncodedResource extends WireResource {
  readonly kind: ResourceKind;
}

/** The model type of each kind. */
export interface ResourceModels {
  readonly listener: Listener;
  readonly route: RouteConfig;
  readonly cluster: Cluster;
  readonly endpoint: EndpointSet;
}

/**
 * A resource as Envoy's message in an `Any`.
 * @param form default: as Tulle's data plane reads it
 * @throws TulleError `TULLE_CONFIG_INVALID` when the model holds what no message can carry
 */
export function encodeResource<Kind extends ResourceKind>(
  kind: Kind,
  resource: ResourceModels[Kind],
  form: EncodeForm = OWN_FORM,
): Any {
  try {
    return pack(kind, resource, form);
  } catch (cause) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `The ${kind} "${resource.name}" cannot be written as an xDS message: ${reasonOf(cause)}. Nothing of it is sent.`,
      {
        cause,
        context: { kind, name: resource.name },
      },
    );
  }
}

function pack(kind: ResourceKind, resource: ResourceModels[ResourceKind], form: EncodeForm): Any {
  if (form.seat === 'grpc') return packForGrpc(kind, resource, form);
  switch (kind) {
    case 'listener':
      return anyPack(ListenerSchema, encodeListener(resource as Listener, form));
    case 'route':
      return anyPack(RouteConfigurationSchema, encodeRouteConfig(resource as RouteConfig, form));
    case 'cluster':
      return anyPack(ClusterSchema, encodeCluster(resource as Cluster, form));
    case 'endpoint':
      return anyPack(ClusterLoadAssignmentSchema, encodeEndpointSet(resource as EndpointSet, form));
  }
}

function packForGrpc(kind: ResourceKind, resource: ResourceModels[ResourceKind], form: EncodeForm): Any {
  switch (kind) {
    case 'listener':
      return anyPack(ListenerSchema, encodeGrpcListener(resource as Listener, form));
    case 'route':
      return anyPack(RouteConfigurationSchema, encodeGrpcRoutes(resource as RouteConfig));
    case 'cluster':
      return anyPack(ClusterSchema, encodeGrpcCluster(resource as Cluster, form));
    case 'endpoint':
      return anyPack(ClusterLoadAssignmentSchema, encodeGrpcEndpoints(resource as EndpointSet));
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Encodes with a memory of objects seen before. */
export interface ResourceEncoder {
  encode<Kind extends ResourceKind>(kind: Kind, resource: ResourceModels[Kind]): EncodedResource;
  /** Resources encoded so far, cache hits not counted. */
  encoded(): number;
}

/** The memory is keyed by object and weak: it holds what some snapshot holds. */
export function createResourceEncoder(form: EncodeForm = OWN_FORM): ResourceEncoder {
  const known = new WeakMap<object, EncodedResource>();
  let count = 0;
  return {
    encode(kind, resource) {
      let encoded = known.get(resource);
      if (!encoded) {
        count++;
        encoded = { kind, ...wireResource(resource.name, encodeResource(kind, resource, form)) };
        known.set(resource, encoded);
      }
      return encoded;
    },
    encoded: () => count,
  };
}
