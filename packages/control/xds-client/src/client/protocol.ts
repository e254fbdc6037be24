import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { type GrpcMethod, grpcService } from '@tulle/xds-proto/grpc';
import type { ClientRequest, ServerResponse } from '../session/messages.ts';
import { ATOMIC_CHANGES, TULLE_MODEL } from '../wire.ts';
import { readResponse, writeRequest } from './envelope.ts';
import { createStateOfTheWorld } from './state-of-the-world.ts';

/** How a stream speaks: incremental xDS, or with everything each time, which every xDS server knows. */
export type XdsApi = 'delta' | 'state-of-the-world';

/** One stream's way of speaking. */
export interface ClientProtocol<Request, Response> {
  readonly method: GrpcMethod<Request, Response>;
  /** @returns `undefined` where what is to be said goes along with a later request */
  write(request: ClientRequest, node: Node | undefined): Request | undefined;
  read(message: Response): ServerResponse;
}

/** `Node.client_features` by protocol: changes that are marked need messages that can say what is gone. */
export const CLIENT_FEATURES: Readonly<Record<XdsApi, readonly string[]>> = {
  delta: [ATOMIC_CHANGES, TULLE_MODEL],
  'state-of-the-world': [TULLE_MODEL],
};

const ads = grpcService(AggregatedDiscoveryService);

export const deltaProtocol: ClientProtocol<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = {
  method: ads.deltaAggregatedResources,
  write: writeRequest,
  read: readResponse,
};

/** Of one stream. */
export function stateOfTheWorldProtocol(): ClientProtocol<DiscoveryRequest, DiscoveryResponse> {
  return { method: ads.streamAggregatedResources, ...createStateOfTheWorld() };
}
