import { connect, createServer, type Socket } from 'node:net';
import { listenPrivately } from '@tulle/agent';

/** A way to the control plane that can be cut on one side. */
export interface XdsRelay {
  readonly path: string;
  /**
   * The control plane loses sight of whoever comes this way, and tells callers; that one notices nothing: its connections
   * stay open and say nothing more. For good.
   */
  cut(): void;
  close(): Promise<void>;
}

/** One Envoy has one connection; more come while it changes them. */
const MAX_CONNECTIONS = 16;

/**
 * Passes bytes between a Unix socket (mode 0600) and the control plane; TLS goes through it from end to end.
 * @param targets `host:port`, tried in turn for each connection
 */
export async function serveXdsRelay(
  path: string,
  targets: readonly { readonly host: string; readonly port: number }[],
): Promise<XdsRelay> {
  const open = new Set<Socket>();
  const far = new Set<Socket>();
  let isCut = false;
  const keep = (socket: Socket, set: Set<Socket>): void => {
    set.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => set.delete(socket));
  };
  const reach = (near: Socket, left: readonly { readonly host: string; readonly port: number }[]): void => {
    const [target, ...others] = left;
    if (target === undefined || near.destroyed) return void near.destroy();
    const socket = connect(target);
    keep(socket, far);
    let reached = false;
    socket.once('connect', () => {
      reached = true;
      near.pipe(socket);
      socket.pipe(near, { end: false });
    });
    near.once('close', () => socket.destroy());
    socket.once('close', () => {
      near.unpipe(socket);
      if (isCut) near.resume();
      else if (reached) near.destroySoon();
      else reach(near, others);
    });
  };
  const server = createServer((near) => {
    keep(near, open);
    if (isCut) near.resume();
    else reach(near, targets);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listenPrivately(server, path);
  return {
    path,
    cut() {
      isCut = true;
      for (const socket of far) socket.destroy();
    },
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of [...open, ...far]) socket.destroy();
      await ended;
    },
  };
}
