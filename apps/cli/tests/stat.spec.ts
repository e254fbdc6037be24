import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';

/** Every fifth request fails. */
const SERVER =
  "let n=0;require('http').createServer((q,r)=>{r.statusCode=++n%5===0?500:200;r.end('ok')}).listen(process.argv[1],'127.0.0.1')";
/** Twenty requests for each line of its input. */
const CALLER =
  "require('readline').createInterface({input:process.stdin});setInterval(()=>{},1e6);(async()=>{for(let i=0;i<20;i++)await fetch('http://'+process.env.TULLE_UPSTREAM_WEB+'/').then(r=>r.text());console.log('called')})()";

interface Items<T> {
  readonly items: readonly T[];
}

describe('tulle stat', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('tells rate, success and latency of a service on both sides, and what the mesh costs each workload', async () => {
    await writeFile(
      join(bench.dir, 'web.yaml'),
      'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n',
    );
    await tulle('apply', '-f', 'web.yaml');
    expect(await tulle('stat')).toMatchObject({
      code: 69,
      err: expect.stringContaining('no proxy runs on this machine') as string,
    });
    const port = await freePort();
    const web = start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', SERVER, port);
    await web.said(/it takes calls from now on/);
    const caller = start('run', '--name', 'caller', '-u', 'web=0', '--', process.execPath, '-e', CALLER);
    await caller.said(/called/);

    const table = await tulle('stat', '-t', '0');
    expect(table.out).toMatch(
      /^NAME +NAMESPACE +SIDE +SUCCESS +RPS +LATENCY_P50 +LATENCY_P95 +LATENCY_P99$/m,
    );
    for (const side of ['client', 'server'])
      expect(table.out).toMatch(new RegExp(`^web +default +${side} +80\\.00% +[\\d.]+rps +[\\d.]+ms`, 'm'));
    const { items } = JSON.parse((await tulle('stat', 'web', '-t', '0', '-o', 'json')).out) as Items<{
      requests: number;
    }>;
    expect(items.map(({ requests }) => requests)).toEqual([20, 20]);
    const bySource = await tulle(
      'stat',
      '--by',
      'source',
      '--side',
      'server',
      '-t',
      '0',
      '-o',
      'jsonpath={.items[*].by}',
    );
    expect(bySource.out).toBe('caller.default\n');
    expect((await tulle('edges', '-o', 'wide')).out).toMatch(/^caller +web +default +default +√ +20$/m);
    // Nothing was called in between.
    expect((await tulle('stat', '-t', '0.1')).out).toMatch(/^web +default +server +- +- +- +- +-$/m);

    const costs = JSON.parse((await tulle('stat', '--overhead', '-t', '0', '-o', 'json')).out) as Items<{
      name: string;
      instances: number;
      cpu_cores: number;
      cpu_us_per_request: number;
      memory_bytes: number;
      supervisor_memory_bytes: number;
      added_ms_p99: number;
    }>;
    expect(costs.items.map(({ name, instances }) => [name, instances])).toEqual([
      ['caller', 1],
      ['web', 1],
    ]);
    for (const one of costs.items) {
      expect(one.cpu_cores).toBeGreaterThan(0);
      expect(one.cpu_us_per_request).toBeGreaterThan(0);
      expect(one.memory_bytes).toBeGreaterThan(one.supervisor_memory_bytes);
      expect(one.supervisor_memory_bytes).toBeGreaterThan(10_000_000);
      expect(one.added_ms_p99).toBeGreaterThanOrEqual(0);
    }
    expect((await tulle('stat', '--overhead', '-t', '0.2')).out).toMatch(
      /^web +default +sidecar +1 +0\.0rps +[\d.]+% +- +\d+MiB +- +-$/m,
    );
    expect((await tulle('stat', '--overhead', '--by', 'route')).code).toBe(64);
  }, 60_000);
});
