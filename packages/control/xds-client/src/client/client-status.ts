import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { ClientResourceStatus } from '@tulle/xds-proto/envoy/admin/v3/config_dump_shared';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type ClientConfig,
  ClientConfigSchema,
  ClientStatusDiscoveryService,
  type ClientStatusRequest,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
} from '@tulle/xds-proto/envoy/service/status/v3/csds';
import { grpcService } from '@tulle/xds-proto/grpc';
import type { ResourceState } from '../session/resource-state.ts';
import { TYPE_URLS } from '../wire.ts';

const STATES: Readonly<Record<ResourceState['state'], ClientResourceStatus>> = {
  requested: ClientResourceStatus.REQUESTED,
  'does-not-exist': ClientResourceStatus.DOES_NOT_EXIST,
  acked: ClientResourceStatus.ACKED,
  nacked: ClientResourceStatus.NACKED,
};

/** What a client says of itself (Envoy `ClientConfig`). Contents are left out, since there may be keys in them. */
export function describeClient(node: Node, resources: readonly ResourceState[]): ClientConfig {
  return create(ClientConfigSchema, {
    node,
    genericXdsConfigs: resources.map(({ kind, name, state, version, updatedMs, error }) => ({
      typeUrl: TYPE_URLS[kind],
      name,
      versionInfo: version,
      clientStatus: STATES[state],
      ...(updatedMs !== undefined && { lastUpdated: timestampFromMs(updatedMs) }),
      ...(error && {
        errorState: { details: error.reasons.join('; '), lastUpdateAttempt: timestampFromMs(error.atMs) },
      }),
    })),
  });
}

/** A running {@link serveClientStatus}. */
export interface ClientStatusServer {
  /** Where it listens; with the port that was free where 0 was asked for. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves Envoy's ClientStatusDiscoveryService (CSDS) of one client: how each of its resources stands, without contents. There is no
 * authentication: it is for loopback and Unix sockets.
 * @param address `host:port`, or `unix:` and a path
 * @param describe what is answered, anew each time
 * @throws Error when the address cannot be bound
 */
export async function serveClientStatus(
  address: string,
  describe: () => ClientConfig,
): Promise<ClientStatusServer> {
  const server = new Server();
  const answer = (): ClientStatusResponse => create(ClientStatusResponseSchema, { config: [describe()] });
  server.addService(grpcService(ClientStatusDiscoveryService), {
    fetchClientStatus(
      _: ServerUnaryCall<ClientStatusRequest, ClientStatusResponse>,
      reply: sendUnaryData<ClientStatusResponse>,
    ) {
      reply(null, answer());
    },
    streamClientStatus(call: ServerDuplexStream<ClientStatusRequest, ClientStatusResponse>) {
      call.on('data', () => {
        // One answer at a time: who does not read asks no more.
        if (call.write(answer())) return;
        call.pause();
        call.once('drain', () => call.resume());
      });
      call.on('error', () => {});
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    address: address.startsWith('unix:') ? address : address.replace(/:\d+$/, `:${port}`),
    close: async () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), 1_000);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
