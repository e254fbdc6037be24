import { createServer, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Log } from '@tulle/filter';
import type { IdentitySource } from '@tulle/model';
import { controlPlaneId, createMeshTls, type MeshTls, type VerifiedPeer } from '@tulle/spiffe';
import { listenPrivately } from './private-socket.ts';

/** Options of {@link serveXdsTunnel}. */
export interface XdsTunnelOptions {
  /** Path of the Unix socket, mode 0600: whoever may open it speaks to the control plane as this workload. */
  readonly path: string;
  /** Control planes, tried in turn for each connection. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  /** It must have an identity already. */
  readonly identity: IdentitySource;
  readonly trustDomain: string;
  /** Connections at once; past it new ones are closed. Default 64: some gRPC libraries have one for each channel. */
  readonly maxConnections?: number;
  /** A handshake with a control plane takes at most this long. Default 5,000, as a proxy's connect. */
  readonly handshakeTimeoutMs?: number;
  readonly log?: Log;
}

/** A running tunnel. */
export interface XdsTunnel {
  readonly path: string;
  /** Connections that reach a control plane now. */
  readonly connections: number;
  close(): Promise<void>;
}

/**
 * A way to the control plane for programs that cannot do mutual TLS themselves, as most gRPC libraries cannot for xDS: HTTP/2 in
 * clear text on a Unix socket, and what comes there goes on over mutual TLS 1.3 with the identity of this agent, byte for byte.
 * A connection ends when either side does, or when the control plane's root is believed no more.
 */
export async function serveXdsTunnel(options: XdsTunnelOptions): Promise<XdsTunnel> {
  const { path, targets, identity, trustDomain, log, handshakeTimeoutMs = 5_000 } = options;
  const mesh = createMeshTls({
    identity,
    onBadSnapshot: (error) => log?.error('a new identity cannot be used for xDS', { reason: error.message }),
  });
  const near = new Set<Socket>();
  const reached = new Map<TLSSocket, VerifiedPeer>();

  const reach = (client: Socket, left: readonly { readonly host: string; readonly port: number }[]): void => {
    const [target, ...others] = left;
    if (target === undefined || client.destroyed) return void client.destroy();
    const handshake = mesh.outbound({ alpn: ['h2'], expected: [controlPlaneId(trustDomain)] });
    if (handshake === undefined) return void client.destroy();
    const server = connect({ ...handshake.options, ...target });
    let joined = false;
    const fail = (reason: string): void => {
      log?.warn('control plane not reached', { target: `${target.host}:${target.port}`, reason });
      server.destroy();
    };
    server.setTimeout(handshakeTimeoutMs, () => fail(`no handshake within ${handshakeTimeoutMs} ms`));
    server.on('error', (error: Error) => {
      if (!joined) fail(error.message);
    });
    server.once('secureConnect', () => {
      const verdict = handshake.verify(server);
      if (!verdict.ok) return fail(`${verdict.reason}: ${verdict.detail}`);
      server.setTimeout(0);
      // A control plane that went away without a word is noticed within a minute or so.
      server.setKeepAlive(true, 15_000);
      joined = true;
      reached.set(server, verdict);
      client.pipe(server);
      server.pipe(client);
    });
    const leave = (): void => void server.destroy();
    client.once('close', leave);
    server.once('close', () => {
      client.off('close', leave);
      reached.delete(server);
      if (joined) client.destroySoon();
      else reach(client, others);
    });
  };

  const listener = createServer((client) => {
    near.add(client);
    client.on('error', () => undefined);
    client.once('close', () => near.delete(client));
    reach(client, targets);
  });
  listener.maxConnections = options.maxConnections ?? 64;
  const unfollow = mesh.subscribe(() => endUntrusted(mesh, reached));
  const stop = (): void => {
    unfollow();
    mesh.close();
  };
  try {
    await listenPrivately(listener, path);
  } catch (error) {
    stop();
    throw error;
  }
  return {
    path,
    get connections() {
      return reached.size;
    },
    async close() {
      stop();
      const ended = new Promise<void>((resolve) => listener.close(() => resolve()));
      for (const socket of near) socket.destroy();
      await ended;
    },
  };
}

/** Those whose root was taken away come back by a new handshake, or not at all. */
function endUntrusted(mesh: MeshTls, reached: ReadonlyMap<TLSSocket, VerifiedPeer>): void {
  for (const [socket, peer] of reached) if (!mesh.stillTrusted(peer)) socket.destroy();
}
