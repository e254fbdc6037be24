import { once } from 'node:events';
import net from 'node:net';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { emptyProxyConfig, type ProxyConfig, type TcpAddress } from '@tulle/model';
import { createSupervisor, type Supervisor } from '@tulle/supervisor';
import { bundle } from '../bundle.ts';
import { pssMb, rssMb } from '../cpu.ts';
import type { Study } from './study.ts';

const WORKERS = 4;
const CONNECTIONS = [8, 16, 64];
/** The kernel's choice is another each time. */
const ROUNDS = 10;
/** Each connection asks so long before memory is read. */
const LOAD_MS = 2_000;
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

interface Figure {
  readonly even: boolean;
  readonly connections: number;
  /** Of the workers, the one with most first; means over the rounds. */
  readonly spread: readonly number[];
}

/** How connections that stay are spread over processes, with and without evening out, and what each process takes. */
export const workers: Study = {
  name: 'workers',
  about: `connections that stay over ${WORKERS} engine processes, evened out and as the kernel gives them; memory of each process`,
  async run({ directory, progress }) {
    const module = await bundle(
      fileURLToPath(new URL('../../../../apps/sidecar/src/engine-main.ts', import.meta.url)),
      join(directory, 'engine'),
    );
    const figures: Figure[] = [];
    let memory: { readonly rssMb: number; readonly pssMb: number }[] = [];
    for (const even of [false, true]) {
      progress(`workers: ${even ? 'evened out' : 'as the kernel gives them'}`);
      const runDir = join(directory, even ? 'even' : 'kernel');
      mkdirSync(runDir, { recursive: true });
      const supervisor = createSupervisor({
        module,
        settings: SETTINGS,
        workers: WORKERS,
        balanceConnections: even,
        runDir,
      });
      try {
        const address = (await supervisor.bind({ host: '127.0.0.1', port: 0 })) as TcpAddress;
        await supervisor.start(configOf(address));
        for (const connections of CONNECTIONS) {
          const rounds: number[][] = [];
          for (let round = 0; round < ROUNDS; round++)
            rounds.push(await spreadOf(supervisor, address, connections));
          figures.push({ even, connections, spread: meanOf(rounds) });
        }
        if (even) {
          await load(address);
          memory = supervisor
            .status()
            .processes.map(({ pid }) => ({ rssMb: Math.round(rssMb(pid)), pssMb: Math.round(pssMb(pid)) }));
        }
      } finally {
        await supervisor.stop(0);
      }
    }
    const lines = figures.map(
      ({ even, connections, spread }) =>
        `  ${(even ? 'evened out' : 'kernel').padEnd(12)}${String(connections).padStart(12)}   ${spread.map((n) => n.toFixed(1)).join(' / ')}`,
    );
    const mib = memory.map((one) => `${one.rssMb} (${one.pssMb})`).join(', ');
    return {
      figures: { spread: figures, memory },
      text: `  by            connections   of each worker, the fullest first; mean of ${ROUNDS} rounds\n${lines.join('\n')}\n  memory of each after load, RSS (PSS), MiB: ${mib}\n`,
    };
  },
};

/** What a sidecar gives its engine processes. */
const SETTINGS = {
  workload: 'web',
  namespace: 'default',
  version: undefined,
  app: 'web',
  principal: 'spiffe://bench.local/ns/default/sa/web',
  cluster: 'bench',
  accessLog: undefined,
  telemetry: {},
  filters: undefined,
  drainWindowMs: 0,
};

/** Answers by itself: an endpoint would only take CPU away. */
function configOf(address: TcpAddress): ProxyConfig {
  return {
    ...emptyProxyConfig,
    version: '1',
    listeners: [
      {
        name: 'web',
        address,
        filterChains: [
          {
            name: 'all',
            handler: {
              kind: 'http',
              filters: [],
              routes: {
                name: 'all',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      {
                        name: 'all',
                        match: { path: { kind: 'prefix', value: '/' } },
                        action: { kind: 'direct', status: 200, body: 'ok' },
                      },
                    ],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
  };
}

async function ask(socket: net.Socket): Promise<void> {
  socket.write(REQUEST);
  await once(socket, 'data');
}

async function open(address: TcpAddress): Promise<net.Socket> {
  const socket = net.connect(address.port, address.host);
  await ask(socket);
  return socket;
}

/** Opens them one after the other, and counts who has how many. */
async function spreadOf(supervisor: Supervisor, address: TcpAddress, count: number): Promise<number[]> {
  const sockets: net.Socket[] = [];
  for (let i = 0; i < count; i++) sockets.push(await open(address));
  const has = (await supervisor.stats()).map((stats) => stats['connections'] ?? 0);
  for (const socket of sockets) socket.destroy();
  while ((await supervisor.stats()).some((stats) => stats['connections'] !== 0)) await sleep(10);
  await sleep(100); // the processes know it of each other
  return has.toSorted((a, b) => b - a);
}

const meanOf = (rounds: readonly (readonly number[])[]): number[] =>
  (rounds[0] ?? []).map((_, i) => rounds.reduce((sum, round) => sum + (round[i] ?? 0), 0) / rounds.length);

async function load(address: TcpAddress): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 32 }, async () => open(address)));
  const endMs = performance.now() + LOAD_MS;
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() < endMs) await ask(socket);
    }),
  );
  for (const socket of sockets) socket.destroy();
}
