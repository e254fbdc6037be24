import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import { ClientResourceStatus } from '@tulle/xds-proto/envoy/admin/v3/config_dump_shared';
import {
  type ClientConfig,
  ClientConfigSchema,
  ClientStatusDiscoveryService,
  type ClientStatusRequest,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
} from '@tulle/xds-proto/envoy/service/status/v3/csds';
import type { NodeMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/node';
import { grpcService } from '@tulle/xds-proto/grpc';
import { TYPE_URLS } from '../wire.ts';
import type { ConnectedClient } from './ads-stream.ts';
import type { CallerCall } from './caller-call.ts';
import type { ResourceStatus } from './delta-stream.ts';
import { StreamFault } from './stream-fault.ts';

/** Clients in one answer: each costs a comparison of everything that it has. */
const MAX_CLIENTS = 100;

/** What the service works with. */
export interface ClientStatusOptions {
  /** Who may read how all clients stand. */
  readonly mayRead: (call: CallerCall) => boolean;
  readonly clients: () => Iterable<ConnectedClient>;
}

/**
 * Adds Envoy's ClientStatusDiscoveryService (CSDS): how each resource stands at each client, by version. Contents are left
 * out, since there may be keys in them.
 */
export function addClientStatusService(server: Server, { mayRead, clients }: ClientStatusOptions): void {
  function answer(call: CallerCall, request: ClientStatusRequest): ClientStatusResponse {
    if (!mayRead(call))
      throw new StreamFault(
        status.PERMISSION_DENIED,
        'The status of clients is for operators of the control plane.',
      );
    const matched: ConnectedClient[] = [];
    for (const client of clients()) {
      if (!matches(client.node.id, request.nodeMatchers)) continue;
      matched.push(client);
      if (matched.length > MAX_CLIENTS)
        throw new StreamFault(
          status.RESOURCE_EXHAUSTED,
          `More than ${MAX_CLIENTS} clients match; narrow node_matchers by node_id.`,
        );
    }
    return create(ClientStatusResponseSchema, { config: matched.map(describe) });
  }

  server.addService(grpcService(ClientStatusDiscoveryService), {
    fetchClientStatus(
      call: ServerUnaryCall<ClientStatusRequest, ClientStatusResponse>,
      reply: sendUnaryData<ClientStatusResponse>,
    ) {
      try {
        reply(null, answer(call, call.request));
      } catch (cause) {
        reply(faultOf(cause));
      }
    },
    streamClientStatus(call: ServerDuplexStream<ClientStatusRequest, ClientStatusResponse>) {
      call.on('data', (request: ClientStatusRequest) => {
        try {
          // One answer at a time: who does not read asks no more.
          if (!call.write(answer(call, request))) {
            call.pause();
            call.once('drain', () => call.resume());
          }
        } catch (cause) {
          call.emit('error', faultOf(cause));
        }
      });
      call.on('end', () => call.end());
    },
  });
}

function faultOf(cause: unknown): { code: status; details: string } {
  if (cause instanceof StreamFault) return { code: cause.code, details: cause.message };
  return { code: status.INTERNAL, details: 'The control plane failed to describe its clients.' };
}

const STATES = {
  synced: [ConfigStatus.SYNCED, ClientResourceStatus.ACKED],
  stale: [ConfigStatus.STALE, ClientResourceStatus.REQUESTED],
  'not sent': [ConfigStatus.NOT_SENT, ClientResourceStatus.REQUESTED],
  error: [ConfigStatus.ERROR, ClientResourceStatus.NACKED],
} as const satisfies Record<ResourceStatus['state'], readonly [ConfigStatus, ClientResourceStatus]>;

function describe({ node, resources }: ConnectedClient): ClientConfig {
  return create(ClientConfigSchema, {
    node,
    genericXdsConfigs: resources().map(({ kind, name, version, state, error }) => {
      const [configStatus, clientStatus] = STATES[state];
      return {
        typeUrl: TYPE_URLS[kind],
        name,
        versionInfo: version,
        configStatus,
        clientStatus,
        ...(error && {
          errorState: {
            details: error.message,
            versionInfo: version,
            lastUpdateAttempt: timestampFromMs(error.atMs),
          },
        }),
      };
    }),
  });
}

/** None matches everybody; of several one is enough. */
function matches(id: string, matchers: readonly NodeMatcher[]): boolean {
  if (matchers.length === 0) return true;
  return matchers.some(({ nodeId, nodeMetadatas }) => {
    const pattern = nodeId?.matchPattern;
    if (nodeMetadatas.length > 0 || !nodeId || !pattern || pattern.case === undefined)
      throw new StreamFault(status.INVALID_ARGUMENT, 'node_matchers must name a node_id, and nothing else.');
    const fold = (text: string): string => (nodeId.ignoreCase ? text.toLowerCase() : text);
    switch (pattern.case) {
      case 'exact':
        return fold(id) === fold(pattern.value);
      case 'prefix':
        return fold(id).startsWith(fold(pattern.value));
      case 'suffix':
        return fold(id).endsWith(fold(pattern.value));
      case 'contains':
        return fold(id).includes(fold(pattern.value));
      default:
        throw new StreamFault(
          status.INVALID_ARGUMENT,
          'node_matchers.node_id must be exact, prefix, suffix or contains.',
        );
    }
  });
}
