import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Demand } from '@tulle/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDiscoveries } from './discoveries.ts';
import type { ToSupervisor } from './protocol.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';

const demand: Demand = { kind: 'virtual-host', routes: 'r', host: 'a' };

describe('what an engine process has looked for', () => {
  it('is done when the supervisor says so, each by itself', async () => {
    const sent: ToSupervisor[] = [];
    const { discover, discovered } = createDiscoveries((message) => void sent.push(message));
    const done: string[] = [];
    const both = [discover(demand).then(() => done.push('a')), discover(demand).then(() => done.push('b'))];
    expect(sent).toEqual([
      { kind: 'discover', id: 1, demand },
      { kind: 'discover', id: 2, demand },
    ]);
    discovered(2);
    discovered(7); // nobody's
    await both[1];
    expect(done).toEqual(['b']);
    discovered(1);
    await both[0];
  });

  it('ends with the supervisor', async () => {
    const { discover, end } = createDiscoveries(() => {});
    const waiting = discover(demand);
    end();
    await waiting;
    await discover(demand);
  });
});

describe('a supervisor', () => {
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  let directory = '';
  let supervisor: Supervisor | undefined;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sd-'));
  });
  afterEach(async () => {
    await supervisor?.stop(0);
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (
    discover?: (demand: Demand) => Promise<void>,
  ): Promise<(slot: number) => Promise<string>> => {
    const made = createSupervisor({
      module: new URL('../tests/tiny-engine.ts', import.meta.url),
      settings: {},
      runDir: directory,
      workers: 2,
      log: quiet,
      ...(discover && { discover }),
    });
    supervisor = made;
    await made.start();
    return async (slot) => {
      const address = made.adminAddress(slot) as Extract<Address, { path: string }>;
      return new Promise((resolve, reject) => {
        request({ socketPath: address.path, path: '/discover', agent: false }, (res) => {
          let text = '';
          res.setEncoding('utf8').on('data', (piece: string) => void (text += piece));
          res.on('end', () => resolve((JSON.parse(text) as { reply: string }).reply));
        })
          .on('error', reject)
          .end();
      });
    };
  };

  it('has it looked for once for each process, and an answer that fails is one', async () => {
    const asked: string[] = [];
    const ask = await start(async (one) => {
      asked.push(one.kind === 'cluster' ? one.name : '');
      if (asked.length === 2) throw new Error('no');
    });
    expect([await ask(0), await ask(1)]).toEqual(['done', 'done']);
    expect(asked).toEqual(['c0', 'c1']);
  });

  it('that looks for nothing says so to its processes', async () => {
    const ask = await start();
    expect(await ask(0)).toBe('nobody');
  });
});
