import { createServer, type Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import { type Meter, noMeter } from '@tulle/telemetry';
import { type Clock, systemClock } from '@tulle/time';
import { createAgentMetrics } from './metrics.ts';
import { listenPrivately } from './private-socket.ts';
import { addSecretService } from './secret-service.ts';
import type { SecretsCallStatus } from './secrets-call.ts';
import { secretsOf } from './secrets.ts';
import { addWorkloadApi } from './workload-api.ts';

/** Options of {@link serveIdentity}. */
export interface ServeIdentityOptions {
  /** It must have an identity already. */
  readonly identity: IdentitySource;
  /** Path of the Unix socket, at most 107 bytes. Whoever may open it gets the key, so it is made with mode 0600. */
  readonly path: string;
  /** Streams of each service at once. Default 256: one Envoy has one for each secret and worker that it warms. */
  readonly maxStreams?: number;
  /** Connections at once; past it new ones are closed. Default 256. */
  readonly maxConnections?: number;
  /** An SDS client that does not answer for this long is let go. Default 60,000, as with the control plane; 0: never. */
  readonly ackTimeoutMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly meter?: Meter;
}

/** An identity that is served. */
export interface IdentityServer {
  readonly path: string;
  /** Resolves when every SDS client that follows it has taken this snapshot: for `IdentityClientOptions.inUse`. */
  inUse(snapshot: IdentitySnapshot): Promise<void>;
  status(): IdentityServerStatus;
  /** Ends every stream, stops listening and removes the socket. */
  close(): Promise<void>;
}

/** Who is served. */
export interface IdentityServerStatus {
  readonly sds: readonly SecretsCallStatus[];
  /** Open streams of the Workload API. */
  readonly workloadApi: number;
}

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * Serves one workload's identity to the programs of its user on this machine (decision D14): Envoy's
 * SecretDiscoveryService (v3) and the X.509 part of the SPIFFE Workload API, both on one Unix socket. What rotates is
 * pushed at once; open streams and connections stay.
 * @throws Error when there is no identity yet, or the socket cannot be made
 */
export async function serveIdentity(options: ServeIdentityOptions): Promise<IdentityServer> {
  const { identity, path, maxStreams = 256, ackTimeoutMs = 60_000, log = silent } = options;
  const first = identity.current();
  if (first === undefined) throw new Error('there is no identity to serve yet; wait for it before');
  let snapshot = first;
  let secrets = secretsOf(first);

  const counted = createAgentMetrics(options.meter ?? noMeter, {
    sds: () => sds.clients().length,
    workloadApi: () => workloadApi.streams,
  });
  const { metrics } = counted;
  const grpc = new Server({
    'grpc.max_receive_message_length': 1024 * 1024, // names and reasons
    'grpc.max_concurrent_streams': 2 * maxStreams, // of two services, each of which turns away by itself
  });
  const clock = options.clock ?? systemClock();
  const sds = addSecretService(grpc, {
    current: () => secrets,
    clock,
    log,
    metrics,
    maxStreams,
    ackTimeoutMs,
  });
  const workloadApi = addWorkloadApi(grpc, { current: () => snapshot, metrics, maxStreams });
  const take = (next: IdentitySnapshot): void => {
    if (next === snapshot) return;
    snapshot = next;
    secrets = secretsOf(next);
    sds.changed();
    workloadApi.changed();
  };
  const unfollow = identity.subscribe(take);

  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Set<Socket>();
  const listener = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    injector.injectConnection(socket);
  });
  listener.maxConnections = options.maxConnections ?? 256;
  try {
    await listenPrivately(listener, path);
  } catch (error) {
    unfollow();
    counted.close();
    injector.destroy();
    throw error;
  }
  return {
    path,
    async inUse(wanted) {
      take(wanted);
      await sds.taken();
    },
    status: () => ({ sds: sds.clients(), workloadApi: workloadApi.streams }),
    async close() {
      unfollow();
      const ended = new Promise<void>((resolve) => listener.close(() => resolve()));
      sds.close();
      workloadApi.close();
      counted.close();
      // What was said last has to leave first.
      injector.drain(CLOSE_GRACE_MS);
      const timer = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, CLOSE_GRACE_MS);
      await ended;
      clearTimeout(timer);
      injector.destroy();
    },
  };
}

/** Until clients have closed their connections by themselves. */
const CLOSE_GRACE_MS = 250;
