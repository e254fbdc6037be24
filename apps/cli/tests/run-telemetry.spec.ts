import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type TulleBench } from './tulle-bench.ts';

const SERVER = "require('http').createServer((q,r)=>r.end('ok')).listen(process.argv[1],'127.0.0.1')";
const CALL =
  "fetch('http://'+process.env.TULLE_UPSTREAM_WEB).then(r=>r.text()).then(t=>console.log(t),e=>console.log(String(e)))";

async function web(bench: TulleBench): Promise<void> {
  await writeFile(
    join(bench.dir, 'web.yaml'),
    'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n',
  );
  await bench.tulle('apply', '-f', 'web.yaml');
}

async function get(socketPath: string, path: string, method = 'GET'): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, method, headers: { host: 'localhost' }, agent: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      reply.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}

describe('what tulle run reports', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('is chosen by the flags of a sidecar: metrics in the words of Istio, a format of the access log', async () => {
    await web(bench);
    const port = await freePort();
    const one = start(
      ...['run', '--name', 'web', '-p', port, '--metrics', 'istio', '--access-log', 'web.log'],
      ...['--access-log-format', '%REQ(:METHOD)% %RESPONSE_CODE%\n', '--otlp-endpoint', 'http://127.0.0.1:9'],
      ...['--', process.execPath, '-e', SERVER, port],
    );
    const [, admin = ''] = await one.said(/joined; .*admin (\S+)\n/);
    await one.said(/it takes calls from now on/);
    const call = ['run', '--name', 'caller', '-u', 'web=0', '--', process.execPath, '-e', CALL];
    expect((await tulle(...call)).out).toBe('ok\n');
    const page = await get(admin, '/stats/prometheus');
    expect(page).toMatch(/^istio_requests_total\{/m);
    expect(page).toMatch(/^tulle_otlp_/m);
    await expect.poll(async () => readFile(join(bench.dir, 'web.log'), 'utf8')).toBe('GET 200\n');
  }, 60_000);

  it('is what the profile says: identity alone keeps mutual TLS and no metrics, and status tells', async () => {
    await web(bench);
    const port = await freePort();
    const one = start(
      ...['run', '--name', 'web', '-p', port, '--profile', 'identity', '--', process.execPath, '-e'],
      ...[SERVER, port],
    );
    const [, admin = ''] = await one.said(/joined; .*admin (\S+)\n/);
    await one.said(/it takes calls from now on/);
    const caller = start(
      ...['run', '--name', 'caller', '-u', 'web=0', '--without', 'traffic', '--', process.execPath, '-e'],
      `${CALL};setInterval(()=>{},1e6)`,
    );
    await caller.said(/^ok$/m);
    expect(await get(admin, '/stats/prometheus')).not.toContain('tulle_requests_total');
    const status = (await tulle('status')).out;
    expect(status).toMatch(/^web-\S+ .* identity /m);
    expect(status).toMatch(/^caller-\S+ .* full-traffic /m);
  }, 60_000);

  it('is nothing but what the program says where that is asked, and the log of the engine can be turned up', async () => {
    const port = await freePort();
    const quiet = start(
      ...['run', '-q', '--name', 'web', '-p', port, '--', process.execPath, '-e'],
      `${SERVER};console.error('program')`,
      port,
    );
    await quiet.said(/program/);
    const { proxies } = JSON.parse((await tulle('status', '-o', 'json')).out) as {
      proxies: { connected: boolean }[];
    };
    expect(proxies.filter(({ connected }) => connected)).toHaveLength(1);
    const admin = join(bench.dir, 'r', `default.web.${port}`, 'admin.sock');
    expect(await get(admin, '/logging?level=info', 'POST')).toBe('info\n');
    expect(await tulle('log-level', 'web', 'warn')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^web-\S+\.default: warn\n$/) as string,
    });
    expect((await tulle('log-level', 'wbe', 'debug')).err).toContain('did you mean web?');
    const { out } = await tulle('metrics', 'web.default', '--grep', 'server_live');
    expect(out).toMatch(
      /^# HELP tulle_server_live .*\n# TYPE tulle_server_live gauge\ntulle_server_live 1\n$/,
    );
    quiet.process.kill('SIGTERM');
    expect((await quiet.ended).err).toBe('program\n');
  }, 60_000);
});
