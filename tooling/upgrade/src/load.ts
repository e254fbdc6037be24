import http from 'node:http';
import type { Socket } from 'node:net';

/** What became of requests so far. */
export interface LoadCounts {
  /** Requests on connections of their own. */
  fresh: number;
  /** Of those, the ones without the right answer. */
  freshFailed: number;
  /** Requests on kept-alive connections. */
  kept: number;
  /**
   * Of those, how many found that their connection had been closed, though nobody had announced it: an idle close that
   * crossed the request on its way. The client sends them again, as clients do; that is no failure.
   */
  idleCloses: number;
  /** Kept-alive connections that were closed while nothing was under way on them, and nobody had announced it. */
  quietCloses: number;
  /** Requests on kept-alive connections without the right answer, also when sent again. */
  keptFailed: number;
  /** First failures, for people. */
  readonly failures: string[];
}

/** Requests under way, until they are stopped. */
export interface Load {
  readonly counts: LoadCounts;
  stop(): Promise<LoadCounts>;
}

/** Workers that open a connection for each request. */
const FRESH_WORKERS = 8;
/** Connections kept alive, each with a request now and then. */
const KEPT_CONNECTIONS = 32;
const MAX_PAUSE_MS = 400;
const TIMEOUT_MS = 20_000;
const MAX_FAILURES = 10;

/** Loads a port of loopback on new connections, as many as it takes, and beside that on kept-alive ones. */
export function startLoad(port: number): Load {
  const counts: LoadCounts = {
    fresh: 0,
    freshFailed: 0,
    kept: 0,
    idleCloses: 0,
    quietCloses: 0,
    keptFailed: 0,
    failures: [],
  };
  let stopped = false;
  let next = 0;
  const fail = (what: string): void => {
    if (counts.failures.length < MAX_FAILURES)
      counts.failures.push(`${new Date().toISOString().slice(11, 23)} ${what}`);
  };

  const fresh = async (): Promise<void> => {
    while (!stopped) {
      const path = `/fresh/${next++}`;
      counts.fresh++;
      try {
        await get(port, path, false);
      } catch (error) {
        counts.freshFailed++;
        fail((error as Error).message);
      }
    }
  };
  const idle = new Set<Socket>();
  const watched = new WeakSet<Socket>();
  const taken = (socket: Socket): void => void idle.delete(socket);
  const kept = async (): Promise<void> => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    // The agent frees a connection only when it may be used again: after no answer that announced its end.
    agent.on('free', (socket: Socket) => {
      idle.add(socket);
      if (watched.has(socket)) return;
      watched.add(socket);
      socket.once('close', () => {
        if (idle.delete(socket) && !stopped) counts.quietCloses++;
      });
    });
    while (!stopped) {
      const path = `/kept/${next++}`;
      counts.kept++;
      try {
        await get(port, path, agent, taken).catch(async (error: unknown) => {
          if (!(error instanceof IdleCloseError)) throw error;
          counts.idleCloses++;
          await get(port, path, false);
        });
      } catch (error) {
        counts.keptFailed++;
        fail((error as Error).message);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_PAUSE_MS));
    }
    agent.destroy();
  };
  const workers = Promise.all([
    ...Array.from({ length: FRESH_WORKERS }, fresh),
    ...Array.from({ length: KEPT_CONNECTIONS }, kept),
  ]);
  return {
    counts,
    async stop() {
      stopped = true;
      await workers;
      return counts;
    },
  };
}

/** A connection that had been used before ended before it answered anything. */
class IdleCloseError extends Error {}

/**
 * @param taken called with the connection
 * @throws Error for anything but the right answer, whole
 */
function get(
  port: number,
  path: string,
  agent: http.Agent | false,
  taken: (socket: Socket) => void = () => {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent, timeout: TIMEOUT_MS }, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (piece: string) => {
        body += piece;
      });
      response.on('error', (error) => reject(new Error(`${path}: cut off: ${error.message}`)));
      response.on('end', () => {
        if (response.statusCode === 200 && body === path) resolve();
        else reject(new Error(`${path}: answered ${response.statusCode}: ${body.slice(0, 100)}`));
      });
    });
    request.on('socket', taken);
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const early = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      reject(
        request.reusedSocket && early
          ? new IdleCloseError(error.message)
          : new Error(`${path}: ${error.message}`),
      );
    });
  });
}
