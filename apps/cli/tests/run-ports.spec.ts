import { connect, createServer, type Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Ended, type Running } from './tulle-bench.ts';

const SERVER = "require('http').createServer((q,r)=>r.end('ok')).listen(process.argv[1],'127.0.0.1')";
const IDLE = "console.log('up');setInterval(()=>{},1e6)";

/** Answers nothing; it only has the port. @returns what ends it */
async function occupy(port: string, host: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy()).listen(Number(port), host);
  await new Promise((resolve) => server.once('listening', resolve));
  return async () => new Promise((resolve) => server.close(() => resolve()));
}

const outcome = async (one: Running): Promise<Ended | 'joined'> =>
  Promise.race([
    one.said(/joined;/).then(
      () => 'joined' as const,
      async () => one.ended,
    ),
    one.ended,
  ]);

describe('the ports of tulle run', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it.each(['127.0.0.1', '::'])(
    'never takes another process, which listens on %s, for its program: says which one it is, and joins nothing',
    async (host) => {
      const port = await freePort();
      const free = await occupy(port, host);
      const run = ['run', '--name', 'web', '-p', port];
      expect(await tulle(...run, '--', process.execPath, '-e', SERVER, port)).toMatchObject({
        code: 1,
        err: expect.stringMatching(
          new RegExp(
            `error: process ${process.pid} \\(.*\\) listens on port ${port} already: the program cannot`,
          ),
        ) as string,
      });
      expect((await tulle('get', 'workloads', '-o', 'name')).out).toBe('');
      // Where that is the program, one says so.
      await start(...run, '--attach', '--', process.execPath, '-e', IDLE).said(/it takes calls from now on/);
      await free();
    },
    60_000,
  );

  it('does not take it for its program either when it began to listen while the sidecar joined', async () => {
    const [port, late] = [await freePort(), await freePort()];
    const run = start(
      ...['run', '--name', 'web', '-p', port, '--control-plane', `127.0.0.1:${late}`],
      ...['--', process.execPath, '-e', SERVER, port],
    );
    await run.said(/no identity from the CA/);
    const free = await occupy(port, '127.0.0.1');
    const [host = '', xds = ''] = bench.mesh.endpoints.xds.split(':');
    const sockets: Socket[] = [];
    const relay = createServer((caller) => {
      const plane = connect({ host, port: Number(xds) });
      for (const socket of [caller, plane])
        socket.on('error', () => {}).on('close', () => void (caller.destroy(), plane.destroy()));
      sockets.push(caller, plane);
      caller.pipe(plane).pipe(caller);
    }).listen(Number(late), '127.0.0.1');
    const ended = await run.ended;
    expect(ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        new RegExp(`error: process ${process.pid} .* listens on port ${port} already`),
      ) as string,
    });
    expect(ended.err).not.toContain('it takes calls from now on');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => relay.close(resolve));
    await free();
  }, 60_000);

  it('gives an upstream port that two want at once to one of them, and tells the other who has it', async () => {
    await writeFile(
      join(bench.dir, 'web.yaml'),
      'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n',
    );
    await tulle('apply', '-f', 'web.yaml');
    const port = await freePort();
    const runs = ['a', 'b', 'c'].map((name) =>
      start('run', '--name', name, '-u', `web=${port}`, '--', process.execPath, '-e', IDLE),
    );
    const outcomes = await Promise.all(runs.map(outcome));
    expect(outcomes.filter((one) => one === 'joined')).toHaveLength(1);
    for (const one of outcomes)
      if (one !== 'joined')
        expect(one).toMatchObject({
          code: 1,
          err: expect.stringMatching(
            new RegExp(`error: cannot listen on 127\\.0\\.0\\.1:${port}.*: EADDRINUSE, .* listens there`),
          ) as string,
        });
  }, 60_000);
});
