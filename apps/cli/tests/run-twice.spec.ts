import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Running } from './tulle-bench.ts';

const SERVER =
  "require('http').createServer((q,r)=>r.end('ok')).listen(process.argv[1],'127.0.0.1');console.log('program',process.pid)";
const IDLE = "console.log('up');setInterval(()=>{},1e6)";

async function ready(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/ready', headers: { host: 'localhost' }, agent: false }, (reply) =>
      resolve(reply.resume().statusCode),
    )
      .on('error', reject)
      .end();
  });
}

const adminOf = async (one: Running): Promise<string> =>
  (await one.said(/joined; .*admin (\S+)\n/))[1] as string;

describe('tulle run, twice', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('refuses a second instance of a service, names the process that runs, and leaves the first as it was', async () => {
    const port = await freePort();
    const run = ['run', '--name', 'web', '-p', port, '--', process.execPath, '-e', SERVER, port];
    const first = start(...run);
    const admin = await adminOf(first);
    await first.said(/it takes calls from now on/);
    const ports = join(bench.dir, 's', 'proxies', `default.web.${port}`, 'ports.json');
    const before = await readFile(ports, 'utf8');
    expect(await tulle(...run)).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        `error: default.web.${port} is running already, in process ${first.process.pid}`,
      ) as string,
    });
    expect(await ready(admin)).toBe(200);
    expect(await readFile(ports, 'utf8')).toBe(before);
    const [, program] = await first.said(/program (\d+)/);
    first.process.kill('SIGKILL'); // no stale lock is left
    process.kill(Number(program), 'SIGKILL'); // nobody was there to end it
    await first.ended;
    await start(...run).said(/it takes calls from now on/);
  }, 60_000);

  it('runs a job beside another run of it, each with an admin interface and a place in the mesh of its own', async () => {
    const job = ['run', '--name', 'report', '--', process.execPath, '-e', IDLE];
    const jobs = [start(...job), start(...job)];
    const admins = await Promise.all(jobs.map(adminOf));
    expect(new Set(admins).size).toBe(2);
    expect(await Promise.all(admins.map(ready))).toEqual([200, 200]);
    const { proxies } = JSON.parse((await tulle('status', '-o', 'json')).out) as {
      proxies: { id: string; connected: boolean }[];
    };
    expect(new Set(proxies.filter((p) => p.connected).map((p) => p.id)).size).toBe(2);
    jobs[0]?.process.kill('SIGTERM');
    await jobs[0]?.ended;
    expect(await ready(admins[1] as string)).toBe(200);
    // The directory that is free is taken again, with its identity.
    expect(await adminOf(start(...job))).toBe(admins[0]);
  }, 60_000);
});
