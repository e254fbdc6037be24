import { deepStrictEqual as same, match, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Running } from '@tulle/processes';
import type { Answer, Mesh, Question } from '../mesh.ts';
import { commandOf, enginesOf, isGone } from '../process-tree.ts';
import { until } from '../until.ts';

const OUTSIDE: Question = ['raw', '10.77.0.1', '7070', 'hello'];

interface Captured {
  readonly supervisor: Running;
  /** Its engine processes. */
  engines(): number[];
  ask(question: Question): Promise<Answer>;
  /** Rules of the host that are this proxy's. */
  tables(): string[];
}

/** A program that asks when it is told to, captured on the plain host, while something is done to its proxy. */
async function withCaptured(
  mesh: Mesh,
  ifProxyDies: 'open' | 'closed',
  work: (captured: Captured) => Promise<string | void>,
): Promise<string | void> {
  return mesh.besideOutsider(async () => {
    const others = new Set(mesh.host.tables());
    const supervisor = mesh.runAsker(['--if-proxy-dies', ifProxyDies]);
    try {
      match(
        (await supervisor.said(/if the sidecar is killed, .*fail (?:open|closed)/))[0],
        new RegExp(ifProxyDies),
      );
      await supervisor.said(/asking/);
      return await work({
        supervisor,
        engines: () => enginesOf(supervisor.pid),
        ask: async (question) => {
          const [answer] = await mesh.askUncaptured([
            ['told', '127.0.0.1', '7171', JSON.stringify(question)],
          ]);
          return JSON.parse(String(answer?.['heard'])) as Answer;
        },
        tables: () => mesh.host.tables().filter((table) => !others.has(table)),
      });
    } finally {
      await supervisor.stop('SIGKILL');
      for (const pid of mesh.host.processes())
        if (commandOf(pid).includes('asker.ts')) process.kill(pid, 'SIGKILL');
    }
  });
}

function kill(captured: Captured): number[] {
  const pids = [...captured.engines(), captured.supervisor.pid];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return pids;
}

export const kills: readonly Case<Mesh>[] = [
  {
    name: 'SIGKILL of the engine alone: its successor takes the sockets, and the program is served',
    run: async (mesh) =>
      withCaptured(mesh, 'open', async (captured) => {
        const [engine = 0] = captured.engines();
        process.kill(engine, 'SIGKILL');
        is((await captured.ask(['http', 'pod', '80']))['name'], 'pod');
        is(captured.tables().length, 1);
      }),
  },
  {
    name: 'SIGKILL of the proxy and of its supervisor, fail open: no rule is left behind, calls go where they were meant',
    run: async (mesh) =>
      withCaptured(mesh, 'open', async (captured) => {
        is((await captured.ask(OUTSIDE))['heard'], '10.77.0.1 said hello');
        is(captured.tables().length, 1);
        const pids = kill(captured);
        const startedMs = performance.now();
        await until(() => captured.tables().length === 0, 'the rules are gone');
        const goneMs = performance.now() - startedMs;
        await until(() => pids.every(isGone), 'proxy and supervisor are gone');
        is((await captured.ask(OUTSIDE))['heard'], '10.77.0.1 said hello');
        return `gone after ${goneMs.toFixed(0)} ms`;
      }),
  },
  {
    name: 'SIGKILL of the proxy and of its supervisor, fail closed: nothing gets out, and no rule outlives the program',
    run: async (mesh) =>
      withCaptured(mesh, 'closed', async (captured) => {
        is((await captured.ask(OUTSIDE))['heard'], '10.77.0.1 said hello');
        const pids = kill(captured);
        await until(() => pids.every(isGone), 'proxy and supervisor are gone');
        same(await captured.ask(OUTSIDE), { error: 'ECONNREFUSED' });
        is(captured.tables().length, 1);
        for (const pid of mesh.host.processes())
          if (commandOf(pid).includes('asker.ts')) process.kill(pid, 'SIGKILL');
        await until(() => captured.tables().length === 0, 'the rules are gone');
      }),
  },
];
