import { readFile, writeFile } from 'node:fs/promises';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Running } from './tulle-bench.ts';
import { call } from './web-client.ts';

/** Says its name and then repeats what it reads; ends when its caller does. Its arguments: name, port, and certificate and key for TLS. */
const PROGRAM = `
const [, name, port, cert, key] = process.argv;
const serve = (socket) => { socket.on('error', () => {}); socket.write(name + (socket.servername ? ' as ' + socket.servername : '') + ':'); socket.pipe(socket); };
const { readFileSync } = require('fs');
const server = cert
  ? require('tls').createServer({ cert: readFileSync(cert), key: readFileSync(key) }, serve)
  : require('net').createServer({ allowHalfOpen: true }, serve);
server.listen(port, '127.0.0.1');
`;

/** Everything that comes back for some text, to the end. @throws Error when the connection breaks or is refused */
async function exchange(socket: Socket, text = 'hello there'): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    socket.setEncoding('utf8').on('data', (part: string) => (got += part));
    socket.on('error', reject).on('close', () => resolve(got));
    socket.end(text);
  });
}

const plainly = async (port: string): Promise<string> =>
  exchange(connectPlain({ host: '127.0.0.1', port: Number(port) })).catch(() => '');
const securely = async (port: string, servername: string, ca: string): Promise<string> =>
  exchange(connectSecurely({ host: '127.0.0.1', port: Number(port), servername, ca })).catch(
    (error: unknown) => `error: ${(error as Error).message}`,
  );

describe('connections at a gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  const certificate = async (name: string, host: string): Promise<string> => {
    const made = await tulle('certificate', 'create', name, '--certificates', 'certs', '--host', host);
    expect(made).toMatchObject({ code: 0 });
    return readFile(made.out.trim(), 'utf8');
  };
  const apply = async (yaml: string): Promise<void> => {
    await writeFile(join(bench.dir, 'edge.yaml'), yaml);
    expect(await tulle('apply', '-f', 'edge.yaml')).toMatchObject({ code: 0 });
  };
  /** A program of bytes with its sidecar, so that what leaves the gateway goes by mutual TLS of the mesh. */
  const program = async (name: string, ...tls: string[]): Promise<Running> => {
    const port = await freePort();
    const one = start(
      'run',
      '--name',
      name,
      '-p',
      port,
      '--',
      process.execPath,
      '-e',
      PROGRAM,
      name,
      port,
      ...tls,
    );
    await one.said(/it takes calls from now on/);
    return one;
  };
  const service = (name: string): string =>
    `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ name: tcp, port: 1 }] }\n---\n`;
  const gateway = (...listeners: string[]): string =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec:\n  gatewayClassName: tulle\n  listeners:\n${listeners.map((l) => `    - { ${l} }\n`).join('')}---\n`;
  const route = (kind: string, name: string, spec: string): string =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { ${spec} }\n---\n`;
  const serve = async (...ports: [asked: number, bound: string][]): Promise<void> => {
    const listen = ports.flatMap(([asked, bound]) => ['--listen', `${asked}=${bound}`]);
    await start('gateway', '--name', 'edge', '--certificates', 'certs', ...listen).said(
      /Gateway default\/edge listens/,
    );
  };

  it('of TLS go by their server names: through to the backend, opened, or to HTTP, all on one port', async () => {
    const vault = await certificate('vault', 'vault.example.com');
    const mail = await certificate('mail', 'mail.example.org');
    const shop = await certificate('shop', 'shop.example.net');
    await apply(
      service('vault') +
        service('mail') +
        gateway(
          "name: pass, port: 443, protocol: TLS, hostname: '*.example.com', tls: { mode: Passthrough }",
          'name: ends, port: 443, protocol: TLS, hostname: mail.example.org, tls: { mode: Terminate, certificateRefs: [{ name: mail }] }',
          'name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: shop }] }',
        ) +
        route(
          'TLSRoute',
          'vault',
          'parentRefs: [{ name: edge }], hostnames: [vault.example.com], rules: [{ backendRefs: [{ name: vault, port: 1 }] }]',
        ) +
        route(
          'TLSRoute',
          'mail',
          "parentRefs: [{ name: edge, sectionName: ends }], hostnames: ['*.example.org'], rules: [{ backendRefs: [{ name: mail, port: 1 }] }]",
        ) +
        route(
          'HTTPRoute',
          'shop',
          'parentRefs: [{ name: edge }], rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: moved.example.net } }] }]',
        ),
    );
    await program('vault', 'certs/default/vault/tls.crt', 'certs/default/vault/tls.key');
    await program('mail');
    const port = await freePort();
    await serve([443, port]);
    await expect
      .poll(() => securely(port, 'vault.example.com', vault), { timeout: 15_000 })
      .toBe('vault as vault.example.com:hello there');
    await expect
      .poll(() => securely(port, 'mail.example.org', mail), { timeout: 15_000 })
      .toBe('mail:hello there');
    const web = await call(port, { host: 'shop.example.net', ca: shop });
    expect([web.status, web.headers.location]).toEqual([302, expect.stringContaining('moved.example.net')]);
    // A name that a listener has and no route, although the one for every name could take it; and no name of TLS at all.
    expect(await securely(port, 'other.example.com', shop)).toMatch(/^error: .*(disconnected|RESET|hang up)/);
    expect(await plainly(port)).toBe('');
    const status = (await tulle('get', 'gateway', 'edge', '-o', 'yaml')).out.replace(/\s+/g, ' ');
    expect(status).not.toMatch(/status: "False" reason: (?!NoConflicts)/);
  }, 60_000);

  it('of TCP are split by weight, and the share of a backend that is not there is refused', async () => {
    const to = (backends: string): string =>
      service('one') +
      service('two') +
      gateway('name: tcp, port: 25, protocol: TCP') +
      route('TCPRoute', 'mail', `parentRefs: [{ name: edge }], rules: [{ backendRefs: [${backends}] }]`);
    await apply(to('{ name: one, port: 1 }, { name: two, port: 1 }, { name: never, port: 1, weight: 0 }'));
    await Promise.all([program('one'), program('two')]);
    const port = await freePort();
    await serve([25, port]);
    const draw = async (): Promise<ReadonlySet<string>> =>
      new Set(await Promise.all(Array.from({ length: 60 }, async () => plainly(port))));
    await expect.poll(draw, { timeout: 15_000 }).toEqual(new Set(['one:hello there', 'two:hello there']));
    await apply(to('{ name: one, port: 1 }, { name: gone, port: 1 }'));
    await expect.poll(draw, { timeout: 15_000 }).toEqual(new Set(['one:hello there', '']));
    await apply(to('{ name: two, port: 1, weight: 0 }'));
    await expect.poll(draw, { timeout: 15_000 }).toEqual(new Set(['']));
  }, 60_000);
});
