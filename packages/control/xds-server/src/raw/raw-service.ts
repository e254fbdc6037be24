import type { DescService } from '@bufbuild/protobuf';
import { type Server, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import { ClusterDiscoveryService } from '@tulle/xds-proto/envoy/service/cluster/v3/cds';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { EndpointDiscoveryService } from '@tulle/xds-proto/envoy/service/endpoint/v3/eds';
import { ExtensionConfigDiscoveryService } from '@tulle/xds-proto/envoy/service/extension/v3/config_discovery';
import { ListenerDiscoveryService } from '@tulle/xds-proto/envoy/service/listener/v3/lds';
import {
  RouteDiscoveryService,
  VirtualHostDiscoveryService,
} from '@tulle/xds-proto/envoy/service/route/v3/rds';
import { ScopedRoutesDiscoveryService } from '@tulle/xds-proto/envoy/service/route/v3/srds';
import { RuntimeDiscoveryService } from '@tulle/xds-proto/envoy/service/runtime/v3/rtds';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { type GrpcMethod, grpcService } from '@tulle/xds-proto/grpc';
import { comparerOf } from '../ads/differences.ts';
import { deltaProtocol, stateOfTheWorldProtocol, type StreamProtocol } from '../ads/messages.ts';
import { type WireResource, withoutTtl } from '../encode/wire-resource.ts';
import type { StreamLimits } from '../ads/push.ts';
import { type AdsCall, rawResponses } from '../ads/stream-call.ts';
import type { RawMetrics } from './raw-metrics.ts';
import { rawResources } from './raw-rules.ts';
import type { RawResource, RawSet } from './raw-set.ts';
import type { RawStore } from './raw-store.ts';
import { openRawStream, type RawStream, type RawStreamListener } from './raw-stream.ts';
import {
  CLUSTER,
  ENDPOINT,
  EXTENSION,
  LISTENER,
  ROUTE,
  RUNTIME,
  SCOPED_ROUTE,
  SECRET,
  VIRTUAL_HOST,
} from './resource-types.ts';

/** Every service that is served, with its one type; the aggregated one has them all. */
const SERVICES: readonly (readonly [service: DescService, onlyType: string | undefined])[] = [
  [AggregatedDiscoveryService, undefined],
  [ListenerDiscoveryService, LISTENER],
  [RouteDiscoveryService, ROUTE],
  [ScopedRoutesDiscoveryService, SCOPED_ROUTE],
  [VirtualHostDiscoveryService, VIRTUAL_HOST],
  [ClusterDiscoveryService, CLUSTER],
  [EndpointDiscoveryService, ENDPOINT],
  [SecretDiscoveryService, SECRET],
  [ExtensionConfigDiscoveryService, EXTENSION],
  [RuntimeDiscoveryService, RUNTIME],
];

/** What the services work with. */
export interface RawServiceOptions {
  readonly store: RawStore;
  readonly identifier: string;
  readonly maxStreams: number;
  readonly maxResourceBytes: number;
  readonly limits: StreamLimits;
  readonly maxBufferedBytes: number;
  readonly firstRequestTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly metrics: RawMetrics;
  readonly listener: RawStreamListener;
}

/** The running services. */
export interface RawService {
  readonly streams: ReadonlySet<RawStream>;
  /** Ends every stream with UNAVAILABLE; new ones are refused. */
  close(): void;
}

/** Adds the aggregated discovery service and those of one type to a gRPC server, each in both protocols. */
export function addRawService(server: Server, options: RawServiceOptions): RawService {
  const { metrics } = options;
  const streams = new Set<RawStream>();
  const plains = new WeakMap<RawResource, WireResource>();
  const plain = (resource: RawResource): WireResource => {
    let wire = plains.get(resource);
    if (wire === undefined) plains.set(resource, (wire = withoutTtl(resource.wire)));
    return wire;
  };
  const comparers = {
    withTtl: comparerOf<string, RawSet, RawResource>(
      { resources: rawResources, encode: (_, { wire }) => wire },
      options.maxResourceBytes,
    ),
    without: comparerOf<string, RawSet, RawResource>(
      { resources: rawResources, encode: (_, resource) => plain(resource) },
      options.maxResourceBytes,
    ),
  };
  let closed = false;

  function accept<Message extends { typeUrl: string }>(
    call: AdsCall<Message>,
    protocol: StreamProtocol<Message>,
    onlyType: string | undefined,
  ): void {
    if (closed || streams.size >= options.maxStreams) {
      metrics.refused();
      call.emit('error', {
        code: closed ? status.UNAVAILABLE : status.RESOURCE_EXHAUSTED,
        details: closed
          ? 'This xDS server is shutting down.'
          : `This xDS server has ${options.maxStreams} streams already (maxStreams).`,
      });
      return;
    }
    const stream = openRawStream(call, {
      ...options,
      comparers,
      protocol,
      onlyType,
      listener: {
        ...options.listener,
        ended(one) {
          streams.delete(one);
          options.listener.ended(one);
        },
      },
    });
    streams.add(stream);
  }

  for (const [service, onlyType] of SERVICES) {
    const definition: Record<string, GrpcMethod<unknown, Buffer>> = {};
    const handlers: Record<string, (call: never) => void> = {};
    for (const [name, method] of Object.entries(
      grpcService(service) as Record<string, GrpcMethod<unknown, unknown>>,
    )) {
      if (!method.requestStream) continue; // Fetch*: REST, once
      definition[name] = rawResponses(method);
      handlers[name] = name.startsWith('delta')
        ? (call: AdsCall<DeltaDiscoveryRequest>) => accept(call, deltaProtocol(options.identifier), onlyType)
        : (call: AdsCall<DiscoveryRequest>) =>
            accept(
              call,
              stateOfTheWorldProtocol(options.identifier, () => true),
              onlyType,
            );
    }
    server.addService(definition, handlers as UntypedServiceImplementation);
  }

  return {
    streams,
    close() {
      closed = true;
      for (const stream of streams) stream.end(status.UNAVAILABLE, 'This xDS server is shutting down.');
    },
  };
}
