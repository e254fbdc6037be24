import { type Server, status } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import { type Meter, noMeter } from '@tulle/telemetry';
import { type Clock, systemClock } from '@tulle/time';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { encodeTrust } from '../encode/trust-secret.ts';
import type { WireResource } from '../encode/wire-resource.ts';
import type { SnapshotProvider, TrustBundles } from '../provider.ts';
import { type AdsStream, type AdsStreamStatus, openAdsStream } from './ads-stream.ts';
import type { StreamLimits } from './push.ts';
import type { CallerCall } from './caller-call.ts';
import { createFormComparers } from './client-form.ts';
import { addClientStatusService } from './client-status.ts';
import { createExpectedIds } from './expected-ids.ts';
import { createFaultsByRoute } from './faults-by-route.ts';
import { createOneKindOfTls } from './one-kind-of-tls.ts';
import { createPoliciesByRoute } from './policies-by-route.ts';
import { deltaProtocol, stateOfTheWorldProtocol, type StreamProtocol } from './messages.ts';
import { createAdsMetrics } from './metrics.ts';
import { nodeIdAgrees } from './node.ts';
import { type AdsCall, rawResponses } from './stream-call.ts';

/** Options of {@link addAdsService}. */
export interface AdsServiceOptions {
  readonly provider: SnapshotProvider;
  /** Who calls, from the connection (`callerIdentity` of `@tulle/ca`). `undefined` or a throw: not authenticated. */
  readonly authenticate: (call: CallerCall) => { readonly spiffeId: string } | undefined;
  /** Admit callers without identity, for loopback and tests. Default false. */
  readonly allowUnauthenticated?: boolean;
  /**
   * Whom the mesh believes, as the secret `ROOTCA` (SDS) for Envoy and others, over the ADS stream and over SDS streams of
   * their own. Absent: nobody gets it.
   */
  readonly trust?: TrustBundles;
  /**
   * Who may read how all clients stand, over ClientStatusDiscoveryService (CSDS), whatever `allowUnauthenticated` says.
   * Absent: the service is not there.
   */
  readonly mayReadStatus?: (call: CallerCall) => boolean;
  /** Whether a node id may be used with a proven id (D14). Default {@link nodeIdAgrees}. */
  readonly agrees?: (nodeId: string, spiffeId: string) => boolean;
  /** Name of this control plane in responses. Default `tulle`. */
  readonly identifier?: string;
  /** Default 10,000: five times the largest mesh that is promised. Further streams get RESOURCE_EXHAUSTED. */
  readonly maxStreams?: number;
  /** Names one stream may subscribe to. Default 100,000: beyond it memory, not purpose, is the likelier cause. */
  readonly maxSubscriptions?: number;
  /** Responses one stream may leave unanswered. Default 1,024. */
  readonly maxOutstanding?: number;
  /** Resources are split over responses of about this size. Default 1 MiB: a quarter of gRPC's usual message limit. */
  readonly maxResponseBytes?: number;
  /** Larger resources are not sent, and reported as refused. Default 50 MiB, the default limit of `@tulle/xds-client`. */
  readonly maxResourceBytes?: number;
  /** Bytes handed to the transport and not yet taken; past it nothing is sent and news is coalesced. Default 1 MiB. */
  readonly maxBufferedBytes?: number;
  /** A client that does not answer for this long is let go. Default 60,000: four times a client's warming; 0: never. */
  readonly ackTimeoutMs?: number;
  /** A stream whose client says nothing is ended after this long. Default 10,000: clients say who they are at once. */
  readonly firstRequestTimeoutMs?: number;
  /** How long listeners and routes wait until a client asks for the endpoints of a new cluster. Default 1,000. */
  readonly dependencyWaitMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly meter?: Meter;
}

/** The running service. */
export interface AdsService {
  streams(): readonly AdsStreamStatus[];
  /** Resources serialised so far; what was serialised once is shared by all streams. */
  encodedResources(): number;
  /** Ends every stream with UNAVAILABLE, so that clients look for another control plane; new ones are refused. */
  close(): void;
}

/**
 * Adds Envoy's AggregatedDiscoveryService and SecretDiscoveryService (v3, delta and state of the world) to a gRPC server.
 * The server's own `grpc.max_receive_message_length` bounds requests; gRPC's default of 4 MiB holds some 40,000
 * resumed resources.
 */
export function addAdsService(server: Server, options: AdsServiceOptions): AdsService {
  const clock = options.clock ?? systemClock();
  const comparers = createFormComparers(options.maxResourceBytes ?? 50 * 1024 * 1024);
  const expectedIds = createExpectedIds();
  const idsOfTwo = createExpectedIds({ overlap: true });
  const policiesByRoute = createPoliciesByRoute();
  const oneKindOfTls = createOneKindOfTls();
  const faultsByRoute = createFaultsByRoute();
  let secrets = secretsOf(options.trust);
  const limits: StreamLimits = {
    maxSubscriptions: options.maxSubscriptions ?? 100_000,
    maxOutstanding: options.maxOutstanding ?? 1024,
    maxResponseBytes: options.maxResponseBytes ?? 1024 * 1024,
    ackTimeoutMs: options.ackTimeoutMs ?? 60_000,
    dependencyWaitMs: options.dependencyWaitMs ?? 1000,
  };
  const maxStreams = options.maxStreams ?? 10_000;
  const streams = new Set<AdsStream>();
  const metrics = createAdsMetrics(options.meter ?? noMeter, () => streams.size);
  let closed = false;

  function accept<Message>(
    call: AdsCall<Message>,
    protocol: StreamProtocol<Message>,
    provider: SnapshotProvider | undefined,
  ): void {
    if (closed || streams.size >= maxStreams) {
      metrics.refused.add();
      const details = closed
        ? 'This control plane is shutting down.'
        : `This control plane serves ${maxStreams} streams already (maxStreams).`;
      call.emit('error', { code: closed ? status.UNAVAILABLE : status.RESOURCE_EXHAUSTED, details });
      return;
    }
    const stream = openAdsStream(call, {
      provider,
      protocol,
      identify: () => options.authenticate(call),
      allowUnauthenticated: options.allowUnauthenticated ?? false,
      agrees: options.agrees ?? nodeIdAgrees,
      maxBufferedBytes: options.maxBufferedBytes ?? 1024 * 1024,
      firstRequestTimeoutMs: options.firstRequestTimeoutMs ?? 10_000,
      comparers,
      forOthers: (snapshot) => policiesByRoute(expectedIds(snapshot)),
      // A gRPC server takes its connections anew when its listener changes, so policies stay there.
      forGrpc: (snapshot) => idsOfTwo(oneKindOfTls(faultsByRoute(snapshot))),
      secrets: () => secrets,
      limits,
      clock,
      metrics,
      log: options.log,
      onEnd: () => streams.delete(stream),
    });
    streams.add(stream);
  }

  const stopWatching = options.trust?.subscribe(() => {
    secrets = secretsOf(options.trust);
    for (const stream of streams) stream.secretsChanged();
  });

  const identifier = options.identifier ?? 'tulle';
  const { deltaAggregatedResources, streamAggregatedResources } = grpcService(AggregatedDiscoveryService);
  server.addService(
    {
      deltaAggregatedResources: rawResponses(deltaAggregatedResources),
      streamAggregatedResources: rawResponses(streamAggregatedResources),
    },
    {
      deltaAggregatedResources: (call: AdsCall<DeltaDiscoveryRequest>) =>
        accept(call, deltaProtocol(identifier), options.provider),
      streamAggregatedResources: (call: AdsCall<DiscoveryRequest>) =>
        accept(call, stateOfTheWorldProtocol(identifier), options.provider),
    },
  );
  if (options.mayReadStatus)
    addClientStatusService(server, {
      mayRead: options.mayReadStatus,
      clients: () => [...streams].flatMap((stream) => stream.client() ?? []),
    });
  const { deltaSecrets, streamSecrets } = grpcService(SecretDiscoveryService);
  server.addService(
    { deltaSecrets: rawResponses(deltaSecrets), streamSecrets: rawResponses(streamSecrets) },
    {
      deltaSecrets: (call: AdsCall<DeltaDiscoveryRequest>) =>
        accept(call, deltaProtocol(identifier), undefined),
      streamSecrets: (call: AdsCall<DiscoveryRequest>) =>
        accept(call, stateOfTheWorldProtocol(identifier), undefined),
    },
  );

  return {
    streams: () => [...streams].map((stream) => stream.status()),
    encodedResources: () => comparers.encoded(),
    close() {
      closed = true;
      for (const stream of streams) stream.end(status.UNAVAILABLE, 'This control plane is shutting down.');
      stopWatching?.();
      metrics.close();
    },
  };
}

function secretsOf(trust: TrustBundles | undefined): ReadonlyMap<string, WireResource> {
  const roots = encodeTrust(trust?.current() ?? []);
  return new Map(roots ? [[roots.name, roots]] : []);
}
