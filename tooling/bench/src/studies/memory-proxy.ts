import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tulle/processes';
import type { BenchSetup } from '../bench-proxy.ts';
import { bundle } from '../bundle.ts';
import type { Memory } from '../memory-process.ts';
import type { OriginSetup } from '../origin-process.ts';
import { messageOf, pinnedFork, stop } from '../pinned.ts';
import type { Pki } from '../pki.ts';

/** More than any study asks for. */
const LIMITS = { maxConnections: 100_000, maxPendingRequests: 100_000, maxRequests: 100_000 };

/** A Tulle with an origin behind it, of which memory is asked. */
export interface MemoryProxy {
  readonly port: number;
  readonly pid: number;
  memory(): Promise<Memory>;
}

/** Runs `use` with a Tulle in a process of its own. */
export async function withMemoryProxy<T>(
  setup: {
    readonly directory: string;
    readonly origin: OriginSetup;
    readonly http2: boolean;
    readonly mesh: boolean;
    /** Present: callers speak mutual TLS. */
    readonly tls?: Pki;
  },
  use: (proxy: MemoryProxy) => Promise<T>,
): Promise<T> {
  const children: ChildProcess[] = [];
  try {
    const origin = pinnedFork('./origin-process.ts', children);
    origin.send(setup.origin);
    const ports = await messageOf<{ http1Port: number; http2Port: number }>(origin, 10_000, 'the origin');
    const port = await freePort();
    const program = await bundle(
      fileURLToPath(new URL('../memory-process.ts', import.meta.url)),
      setup.directory,
    );
    const told: BenchSetup = {
      listenPort: port,
      originPort: setup.http2 ? ports.http2Port : ports.http1Port,
      mesh: setup.mesh,
      accessLogFile: `${setup.directory}/access.log`,
      tls: null,
      ...(setup.tls === undefined
        ? {}
        : {
            downstreamTls: {
              key: setup.tls.originKeyFile,
              cert: setup.tls.originCertFile,
              ca: setup.tls.caFile,
            },
          }),
      http2: setup.http2,
      limits: LIMITS,
      // What is measured takes as long as it takes.
      requestTimeoutMs: 0,
    };
    const child = fork(program, [JSON.stringify(told)], { execArgv: ['--expose-gc'] });
    children.push(child);
    await messageOf(child, 10_000, 'the proxy');
    return await use({
      port,
      pid: child.pid as number,
      async memory() {
        const answer = messageOf<Memory>(child, 30_000, 'the proxy');
        child.send('memory');
        return answer;
      },
    });
  } finally {
    await Promise.all(children.map(stop));
  }
}

/** What each of `count` took. */
export function perItem(
  before: Memory,
  after: Memory,
  count: number,
): { rssBytes: number; liveBytes: number } {
  return {
    rssBytes: Math.round((after.rss - before.rss) / count),
    liveBytes: Math.round((after.live - before.live) / count),
  };
}
