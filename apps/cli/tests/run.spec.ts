import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Running } from './tulle-bench.ts';

/** Listens only when it gets SIGUSR2. */
const LATE =
  "const[,port]=process.argv;process.on('SIGUSR2',()=>require('http').createServer((q,r)=>r.end('late')).listen(port,'127.0.0.1'));console.log('up');setInterval(()=>{},1e6)";

/** Process ids of the children of a process (Linux). */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

describe('tulle run', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  const workloads = async (): Promise<string> => (await tulle('get', 'workloads', '-o', 'name')).out;

  it('makes a program an endpoint when it accepts on its port, not before', async () => {
    const port = await freePort();
    const web = start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', LATE, port);
    await web.said(/^up$/m);
    expect(await workloads()).toBe('');
    await web.said(
      new RegExp(`the program does not accept on port ${port} yet; until it does, it gets no calls`),
    );
    expect(await workloads()).toBe('');
    web.process.kill('SIGUSR2');
    await web.said(/it takes calls from now on/);
    await expect.poll(workloads, { timeout: 5000 }).toMatch(/^workload\/web\./);
    web.process.kill('SIGTERM');
    await web.ended;
    expect(await workloads()).toBe('');
  }, 60_000);

  it('makes it an endpoint at once where that is asked, and at the address that it advertises', async () => {
    const one = start(
      ...['run', '--name', 'web', '-p', '1', '--no-port-check', '--advertise', '192.0.2.7:443'],
      ...['--', process.execPath, '-e', "console.log('up');setInterval(()=>{},1e6)"],
    );
    await one.said(/^up$/m);
    expect(JSON.parse((await tulle('get', 'workloads', '-o', 'json')).out)).toMatchObject({
      items: [{ spec: { address: '192.0.2.7', inbound: { mode: 'sidecar', port: 443 } } }],
    });
  }, 60_000);

  it('takes a program out of the mesh before it is told to end: no call fails, though calls go on coming', async () => {
    await writeFile(
      join(bench.dir, 'web.yaml'),
      'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n',
    );
    await tulle('apply', '-f', 'web.yaml');
    // Ends as servers do: takes no new connections, and goes when the last call is answered.
    const graceful =
      "const s=require('http').createServer((q,r)=>setTimeout(()=>r.end('ok'),5));s.listen(process.argv[1],'127.0.0.1');process.on('SIGTERM',()=>s.close(()=>process.exit(0)))";
    const web = async (): Promise<Running> => {
      const port = await freePort();
      const one = start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', graceful, port);
      await one.said(/it takes calls from now on/);
      return one;
    };
    const [first] = await Promise.all([web(), web()]);
    const caller = start('run', '--name', 'caller', '-u', 'web=0', '--', 'sleep', '1000');
    const [, port] = await caller.said(/web → 127\.0\.0\.1:(\d+)/);
    const statuses = new Map<number, number>();
    let stop = false;
    const load = Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        while (!stop) {
          const method = i % 2 === 0 ? 'GET' : 'POST';
          const { status } = await fetch(`http://127.0.0.1:${port}/`, { method });
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    const reach = async (count: number): Promise<void> =>
      expect.poll(() => statuses.get(200) ?? 0, { timeout: 20_000 }).toBeGreaterThan(count);
    await reach(200);
    first.process.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    await reach((statuses.get(200) ?? 0) + 200);
    stop = true;
    await load;
    expect([...statuses.keys()]).toEqual([200]);
  }, 90_000);

  it('says what it waits for while no CA can be reached, and gives up with the reason', async () => {
    const nobody = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => nobody.once('listening', resolve));
    const { port } = nobody.address() as AddressInfo;
    const at = `127.0.0.1:${port}`;
    nobody.close();
    const args = ['run', '--name', 'web', '--control-plane', at, '--', 'true'];
    const late = start('run', '--start-timeout', '2', ...args.slice(1));
    await late.said(new RegExp(`no identity from the CA at ${at} yet: connect ECONNREFUSED`));
    expect(await late.ended).toMatchObject({
      code: 69,
      err: expect.stringMatching(
        /error: spiffe:\S+\/web got no identity from the CA at \S+ within 2 s: connect ECONNREFUSED[^]*--start-timeout/,
      ) as string,
    });
    const interrupted = start(...args);
    await interrupted.said(/no identity from the CA/);
    interrupted.process.kill('SIGINT');
    expect(await interrupted.ended).toMatchObject({
      code: 130,
      err: expect.stringContaining('interrupted before the program was started') as string,
    });
  }, 60_000);

  it('ends a start that is interrupted while the engine comes up, with every process', async () => {
    const one = start('run', '--name', 'web', '--', 'sleep', '1000');
    const pid = one.process.pid as number;
    await expect.poll(async () => childrenOf(pid), { timeout: 10_000 }).toHaveLength(1);
    const [engine] = await childrenOf(pid);
    one.process.kill('SIGINT');
    expect((await one.ended).code).toBe(130);
    expect(() => process.kill(engine as number, 0)).toThrow('ESRCH');
  }, 60_000);

  it.each([
    [['--name', 'Web'], '--name "Web" is no name'],
    [['--name', 'web', '-p', '80', '-u', 'a=80'], '80 cannot be both --port and the local port of a'],
    [['--name', 'web', '--inbound', 'here:1'], '--inbound "here:1" is not HOST:PORT'],
    [['--name', 'web', '--inbound', '10.0.0.1'], '--inbound "10.0.0.1" has no port'],
    [['--name', 'web', '--advertise', '1.2.3.4:99999'], '--advertise "1.2.3.4:99999" is not HOST[:PORT]'],
  ])(
    'refuses %j with what is wrong',
    async (args, message) => {
      expect(await tulle('run', ...args, '--', 'true')).toMatchObject({
        code: 64,
        err: expect.stringContaining(`error: ${message}`) as string,
      });
    },
    60_000,
  );
});
