import { create, fromBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import {
  type sendUnaryData,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  status,
} from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import {
  deltaProtocol,
  SECRET_TYPE_URL,
  stateOfTheWorldProtocol,
  type StreamProtocol,
  versionOf,
} from '@tulle/xds-server';
import {
  type DeltaDiscoveryRequest,
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { type GrpcMethod, grpcService } from '@tulle/xds-proto/grpc';
import type { AgentMetrics } from './metrics.ts';
import { noSuchSecret } from './no-such-secret.ts';
import type { AgentSecrets } from './secrets.ts';
import { openSecretsCall, type SecretsCall, type SecretsCallStatus } from './secrets-call.ts';

/** What the service works with. */
export interface SecretServiceOptions {
  readonly current: () => AgentSecrets;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  /** Streams at once; past it clients get RESOURCE_EXHAUSTED. */
  readonly maxStreams: number;
  /** A client that does not answer for this long is let go. */
  readonly ackTimeoutMs: number;
}

/** The running service. */
export interface SecretService {
  /** {@link SecretServiceOptions.current} changed. */
  changed(): void;
  /**
   * Resolves once every client has acknowledged what it asked for as it is now.
   * @throws Error naming a client that refused it, or none has answered in time
   */
  taken(): Promise<void>;
  clients(): readonly SecretsCallStatus[];
  close(): void;
}

/** Adds Envoy's SecretDiscoveryService (v3): state of the world, delta, and single answers. */
export function addSecretService(server: Server, options: SecretServiceOptions): SecretService {
  const { metrics } = options;
  const calls = new Set<SecretsCall>();
  let waiting: (() => void)[] = [];
  const settle = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  let closed = false;

  function accept<Message extends DeltaDiscoveryRequest | DiscoveryRequest>(
    call: ServerDuplexStream<Message, Buffer>,
    protocol: StreamProtocol<Message>,
  ): void {
    if (closed || calls.size >= options.maxStreams) {
      metrics.refused.add();
      call.emit(
        'error',
        closed
          ? { code: status.UNAVAILABLE, details: 'This agent is shutting down.' }
          : {
              code: status.RESOURCE_EXHAUSTED,
              details: `This agent serves ${options.maxStreams} streams already (maxStreams).`,
            },
      );
      return;
    }
    const one = openSecretsCall(call, {
      ...options,
      protocol,
      onAnswer: settle,
      onEnd: () => {
        calls.delete(one);
        settle();
      },
    });
    calls.add(one);
  }

  const { streamSecrets, deltaSecrets, fetchSecrets } = grpcService(SecretDiscoveryService);
  server.addService(
    { streamSecrets: rawResponses(streamSecrets), deltaSecrets: rawResponses(deltaSecrets), fetchSecrets },
    {
      streamSecrets: (call: ServerDuplexStream<DiscoveryRequest, Buffer>) =>
        accept(call, stateOfTheWorldProtocol(AGENT)),
      deltaSecrets: (call: ServerDuplexStream<DeltaDiscoveryRequest, Buffer>) =>
        accept(call, deltaProtocol(AGENT)),
      fetchSecrets: (
        { request }: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>,
        answer: sendUnaryData<DiscoveryResponse>,
      ) => {
        const { byName, unnamed } = options.current();
        const names = request.resourceNames.length > 0 ? request.resourceNames : unnamed;
        const unknown = names.find((name) => !byName.has(name));
        if (unknown !== undefined) {
          metrics.unknown.add();
          answer({ code: status.NOT_FOUND, details: noSuchSecret(unknown, byName.keys()) });
          return;
        }
        const found = names.flatMap((name) => byName.get(name) ?? []);
        metrics.sent.add(found.length);
        answer(
          null,
          create(DiscoveryResponseSchema, {
            versionInfo: versionOf(Buffer.from(found.map(({ version }) => version).join())),
            typeUrl: SECRET_TYPE_URL,
            resources: found.map(({ bytes, anyAt }) => fromBinary(AnySchema, bytes.subarray(anyAt))),
            controlPlane: { identifier: AGENT },
          }),
        );
      },
    },
  );

  return {
    changed() {
      for (const call of calls) call.changed();
    },
    async taken() {
      for (;;) {
        const behind = [...calls].filter((call) => !call.settled());
        if (behind.length === 0) return;
        for (const call of behind) {
          const { node, refused } = call.status();
          if (refused !== undefined) throw new Error(`${node ?? 'a client'} refuses a secret: ${refused}`);
        }
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    clients: () => [...calls].map((call) => call.status()),
    close() {
      closed = true;
      for (const call of calls) call.end(status.UNAVAILABLE, 'This agent is shutting down.');
    },
  };
}

/** As the control plane of responses. */
const AGENT = 'tulle-agent';

/** Responses are written by the stream itself. */
function rawResponses<Request, Response>(method: GrpcMethod<Request, Response>): GrpcMethod<Request, Buffer> {
  return { ...method, responseSerialize: (bytes) => bytes, responseDeserialize: (bytes) => bytes };
}
