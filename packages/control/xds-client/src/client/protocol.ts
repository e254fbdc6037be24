import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { ClusterDiscoveryService } from '@tulle/xds-proto/envoy/service/cluster/v3/cds';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { EndpointDiscoveryService } from '@tulle/xds-proto/envoy/service/endpoint/v3/eds';
import { ExtensionConfigDiscoveryService } from '@tulle/xds-proto/envoy/service/extension/v3/config_discovery';
import { ListenerDiscoveryService } from '@tulle/xds-proto/envoy/service/listener/v3/lds';
import {
  RouteDiscoveryService,
  VirtualHostDiscoveryService,
} from '@tulle/xds-proto/envoy/service/route/v3/rds';
import { ScopedRoutesDiscoveryService } from '@tulle/xds-proto/envoy/service/route/v3/srds';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { type GrpcMethod, grpcService } from '@tulle/xds-proto/grpc';
import type { ClientRequest, ServerResponse } from '../session/messages.ts';
import { ATOMIC_CHANGES, TULLE_MODEL, TYPE_URLS, type XdsApi } from '../wire.ts';
import { readResponse, writeRequest } from './envelope.ts';
import { createStateOfTheWorld } from './state-of-the-world.ts';

/** One stream's way of speaking. */
export interface ClientProtocol<Request, Response> {
  readonly method: GrpcMethod<Request, Response>;
  /** @returns `undefined` where what is to be said goes along with a later request */
  write(request: ClientRequest, node: Node | undefined): Request | undefined;
  read(message: Response): ServerResponse;
}

/** Of the xDS protocol: resources may have a TTL. */
const RESOURCE_TTL = 'xds.config.supports-resource-ttl';

/** `Node.client_features` by protocol: changes that are marked need messages that can say what is gone. */
export const CLIENT_FEATURES: Readonly<Record<XdsApi, readonly string[]>> = {
  delta: [ATOMIC_CHANGES, TULLE_MODEL, RESOURCE_TTL],
  'state-of-the-world': [TULLE_MODEL, RESOURCE_TTL],
};

const ads = grpcService(AggregatedDiscoveryService);

type Methods = {
  readonly delta: GrpcMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly world?: GrpcMethod<DiscoveryRequest, DiscoveryResponse>;
};

/** The service of each type that is asked for by itself. */
const METHODS: Readonly<Record<string, () => Methods>> = {
  [TYPE_URLS.cluster]: () => {
    const { deltaClusters: delta, streamClusters: world } = grpcService(ClusterDiscoveryService);
    return { delta, world };
  },
  [TYPE_URLS.endpoint]: () => {
    const { deltaEndpoints: delta, streamEndpoints: world } = grpcService(EndpointDiscoveryService);
    return { delta, world };
  },
  [TYPE_URLS.listener]: () => {
    const { deltaListeners: delta, streamListeners: world } = grpcService(ListenerDiscoveryService);
    return { delta, world };
  },
  [TYPE_URLS.secret]: () => {
    const { deltaSecrets: delta, streamSecrets: world } = grpcService(SecretDiscoveryService);
    return { delta, world };
  },
  [TYPE_URLS.extension]: () => {
    const { deltaExtensionConfigs: delta, streamExtensionConfigs: world } = grpcService(
      ExtensionConfigDiscoveryService,
    );
    return { delta, world };
  },
  // Known to the incremental protocol alone.
  [TYPE_URLS['virtual-host']]: () => {
    const { deltaVirtualHosts: delta } = grpcService(VirtualHostDiscoveryService);
    return { delta };
  },
  [TYPE_URLS['scoped-route']]: () => {
    const { deltaScopedRoutes: delta, streamScopedRoutes: world } = grpcService(ScopedRoutesDiscoveryService);
    return { delta, world };
  },
  [TYPE_URLS.route]: () => {
    const { deltaRoutes: delta, streamRoutes: world } = grpcService(RouteDiscoveryService);
    return { delta, world };
  },
};

/**
 * How one stream of one type speaks.
 * @throws Error for a type that has no service of its own
 */
export function typeProtocols(
  typeUrl: string,
  api: XdsApi,
): ClientProtocol<DeltaDiscoveryRequest | DiscoveryRequest, DeltaDiscoveryResponse | DiscoveryResponse> {
  const methods = METHODS[typeUrl]?.();
  if (methods === undefined || (api !== 'delta' && methods.world === undefined))
    throw new Error(`${typeUrl} has no service of its own`);
  const protocol =
    api === 'delta'
      ? { method: methods.delta, write: writeRequest, read: readResponse }
      : { method: methods.world as NonNullable<Methods['world']>, ...createStateOfTheWorld() };
  return protocol as ReturnType<typeof typeProtocols>;
}

export const deltaProtocol: ClientProtocol<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = {
  method: ads.deltaAggregatedResources,
  write: writeRequest,
  read: readResponse,
};

/** Of one stream. */
export function stateOfTheWorldProtocol(): ClientProtocol<DiscoveryRequest, DiscoveryResponse> {
  return { method: ads.streamAggregatedResources, ...createStateOfTheWorld() };
}
