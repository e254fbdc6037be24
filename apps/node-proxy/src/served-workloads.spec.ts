import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@tulle/filter';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServedWorkloads, type Served } from './served-workloads.ts';
import type { NodeWorkload } from './workload.ts';

/** A workload whose start and end are in the hands of the test. */
class Handmade implements Served {
  readonly name: string;
  readonly address: string;
  readonly started = Promise.withResolvers<void>();
  readonly ended = Promise.withResolvers<void>();
  stops = 0;
  /** Address at which it is served next, as it was told. */
  next: string | undefined;

  constructor({ name, address }: NodeWorkload) {
    this.name = name;
    this.address = address;
  }

  async start(): Promise<void> {
    return this.started.promise;
  }

  async stop(next?: NodeWorkload): Promise<void> {
    this.stops++;
    this.next = next?.address;
    return this.ended.promise;
  }
}

describe('the workloads of a node', () => {
  let directory: string;
  let made: Handmade[];
  let errors: string[];
  let workloads: ServedWorkloads<Handmade>;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tulle-served-'));
    made = [];
    errors = [];
    const log = { error: (message: string) => errors.push(message) } as unknown as Log;
    const make = (workload: NodeWorkload): Handmade => {
      const one = new Handmade(workload);
      made.push(one);
      return one;
    };
    workloads = new ServedWorkloads(directory, make, log, 1);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (name: string, address = '10.1.0.7'): void =>
    writeFileSync(
      join(directory, `${name}.json`),
      JSON.stringify({ name, network: `/run/netns/${name}`, address }),
    );
  const all = (): string[] => made.map(({ name, address }) => `${name} ${address}`);

  it('are served and taken away one by one; one that is slow to leave or to join holds up no other', async () => {
    write('slow');
    workloads.look();
    rmSync(join(directory, 'slow.json'));
    workloads.look();
    expect([made[0]?.stops, made[0]?.next]).toEqual([1, undefined]); // although it never came to be served
    write('quick');
    workloads.look();
    expect(all()).toEqual(['slow 10.1.0.7', 'quick 10.1.0.7']);
    made[1]?.started.resolve();
    made[0]?.ended.resolve();
    await workloads.settled();
    expect(workloads.served.map(({ name }) => name)).toEqual(['quick']);
  });

  it('come again with what is new when what was before has left', async () => {
    write('web');
    workloads.look();
    made[0]?.started.resolve();
    write('web', '10.1.0.8');
    workloads.look();
    write('web', '10.1.0.9');
    workloads.look();
    expect([all(), made[0]?.stops, made[0]?.next]).toEqual([['web 10.1.0.7'], 1, '10.1.0.8']);
    const settled = workloads.settled();
    made[0]?.ended.resolve();
    await expect.poll(all).toEqual(['web 10.1.0.7', 'web 10.1.0.9']);
    made[1]?.started.resolve();
    await settled;
  });

  it('that are renamed leave before whoever has their network next, which they are told of', async () => {
    write('web');
    workloads.look();
    made[0]?.started.resolve();
    renameSync(join(directory, 'web.json'), join(directory, 'api.json'));
    writeFileSync(
      join(directory, 'api.json'),
      JSON.stringify({ name: 'api', network: '/run/netns/web', address: '10.1.0.8' }),
    );
    workloads.look();
    workloads.look();
    expect([all(), made[0]?.stops, made[0]?.next]).toEqual([['web 10.1.0.7'], 1, '10.1.0.8']);
    made[0]?.ended.resolve();
    await expect.poll(all).toEqual(['web 10.1.0.7', 'api 10.1.0.8']);
    made[1]?.started.resolve();
    await workloads.settled();
  });

  it('are tried again, and what was wrong is said as long as it is', async () => {
    write('web');
    workloads.look();
    made[0]?.started.reject(new Error('no network'));
    await expect.poll(() => made.length).toBe(2);
    expect(workloads.faults).toEqual(['default.web: no network']);
    expect(errors).toEqual(['default.web is not served, and tried again: no network']);
    made[1]?.started.resolve();
    await workloads.settled();
    expect(workloads.faults).toEqual([]);
  });

  it('leave no fault behind that were taken away', async () => {
    write('web');
    workloads.look();
    const settled = workloads.settled();
    rmSync(join(directory, 'web.json'));
    workloads.look();
    made[0]?.started.reject(new Error('default.web is taken away'));
    made[0]?.ended.resolve();
    await settled;
    expect([workloads.faults, errors]).toEqual([[], []]);
  });

  it('are served no more once they were stopped', async () => {
    write('web');
    workloads.look();
    const stopped = workloads.stop();
    made[0]?.ended.resolve();
    await stopped;
    expect(made[0]?.next).toBe('10.1.0.7'); // by whichever proxy comes next
    write('late');
    workloads.look();
    expect([all(), workloads.served]).toEqual([['web 10.1.0.7'], []]);
  });
});
