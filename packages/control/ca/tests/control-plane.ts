import { Server } from '@grpc/grpc-js';
import type { Ca, CaOptions } from '../src/ca.ts';
import { createCa } from '../src/create-ca.ts';
import { connectionCalls } from '../src/connection-calls.ts';
import type { CaEvent } from '../src/ca-events.ts';
import { addCaService, type CaService } from '../src/ca-service.ts';
import {
  createIdentityClient,
  type IdentityClient,
  type IdentityClientEvent,
  type IdentityClientOptions,
} from '../src/identity-client.ts';
import { localIdentity, type LocalIdentity, type LocalIdentityOptions } from '../src/local-identity.ts';
import {
  serveMeshGrpc,
  type GrpcCall,
  type MeshGrpcServer,
  type MeshGrpcServerOptions,
} from '../src/mesh-grpc-server.ts';
import { memoryStore } from '../src/store.ts';

export const trustDomain = 'example.org';
export const web = { namespace: 'default', serviceAccount: 'web' };
export const webId = 'spiffe://example.org/ns/default/sa/web';

/** A control plane as far as identity goes: CA, its own certificate, the gRPC server. */
export interface TestControlPlane {
  readonly ca: Ca;
  readonly own: LocalIdentity;
  readonly server: Server;
  readonly grpc: MeshGrpcServer;
  readonly service: CaService;
  readonly address: string;
  readonly events: CaEvent[];
  /** Reasons for which connections were refused. */
  readonly refused: string[];
  /** Ids of the callers of `Watch`. */
  readonly callers: (string | undefined)[];
  close(): Promise<void>;
}

export async function controlPlane(
  options: Partial<CaOptions> & {
    grpc?: Partial<MeshGrpcServerOptions>;
    own?: LocalIdentityOptions;
    ca?: Ca;
    renewSpreadMsPerClient?: number;
  } = {},
): Promise<TestControlPlane> {
  const events: CaEvent[] = [];
  const refused: string[] = [];
  const callers: (string | undefined)[] = [];
  const { grpc: grpcOptions, own: ownOptions, ca: given, renewSpreadMsPerClient = 1, ...caOptions } = options;
  const ca =
    given ??
    (await createCa({
      trustDomain,
      store: memoryStore(),
      onEvent: (event) => events.push(event),
      ...caOptions,
    }));
  const own = localIdentity(ca, {
    ...(caOptions.clock === undefined ? {} : { clock: caOptions.clock }),
    ...ownOptions,
  });
  await own.ready();
  const calls = connectionCalls();
  const server = new Server({ interceptors: [calls.interceptor] });
  const grpc = await serveMeshGrpc(server, {
    identity: own,
    calls,
    onRefused: ({ reason }) => refused.push(reason),
    ...grpcOptions,
  });
  const callerIdentity = (call: GrpcCall): string | undefined => {
    const id = grpc.callerIdentity(call);
    callers.push(id);
    return id;
  };
  const service = addCaService(server, ca, { callerIdentity, renewSpreadMsPerClient });
  return {
    ca,
    own,
    server,
    grpc,
    service,
    address: `127.0.0.1:${grpc.port}`,
    events,
    refused,
    callers,
    async close() {
      await grpc.close();
      own.close();
      if (given === undefined) await ca.close();
    },
  };
}

export interface TestClient extends IdentityClient {
  readonly events: IdentityClientEvent[];
}

export async function join(
  plane: Pick<TestControlPlane, 'address'>,
  options: Partial<IdentityClientOptions> = {},
): Promise<TestClient> {
  const events: IdentityClientEvent[] = [];
  const client = await createIdentityClient({
    address: plane.address,
    trustDomain,
    ...web,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return Object.assign(client, { events });
}
