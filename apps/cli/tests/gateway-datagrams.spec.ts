import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Running } from './tulle-bench.ts';

/** Says its name to whoever sends it something, and takes connections, by which it is known to be there. Its arguments: name, port. */
const PROGRAM = `
const [, name, port] = process.argv;
const udp = require('dgram').createSocket('udp4');
udp.on('message', (bytes, from) => udp.send(name + ':' + bytes, from.port, from.address));
udp.bind(Number(port), '127.0.0.1');
require('net').createServer().listen(Number(port), '127.0.0.1');
`;

const sockets: Socket[] = [];
afterEach(() => {
  for (const one of sockets.splice(0)) one.close();
});

async function socket(): Promise<Socket> {
  const made = createSocket('udp4');
  sockets.push(made);
  made.bind(0, '127.0.0.1');
  await once(made, 'listening');
  return made;
}

/** One address and port that asks, and what it hears back; `''`: nothing in time. */
async function caller(port: string): Promise<(text: string) => Promise<string>> {
  const made = await socket();
  return async (text) =>
    new Promise((resolve) => {
      const over = (answer: string): void => {
        clearTimeout(timer);
        made.off('message', heard);
        resolve(answer);
      };
      const heard = (bytes: Buffer): void => {
        if (bytes.toString().endsWith(`:${text}`)) over(bytes.toString());
      };
      const timer = setTimeout(over, 500, '');
      made.on('message', heard);
      made.send(text, Number(port), '127.0.0.1');
    });
}

let asked = 0;
/** What answers sessions of their own. */
async function draw(port: string, sessions = 30): Promise<ReadonlySet<string>> {
  const answers = Array.from({ length: sessions }, async () => {
    const ask = await caller(port);
    const answer = await ask(`${(asked += 1)}`);
    return answer.split(':')[0] ?? '';
  });
  return new Set(await Promise.all(answers));
}

const set = (...names: string[]): ReadonlySet<string> => new Set(names);

describe('datagrams at a gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  const apply = async (...yaml: string[]): Promise<void> => {
    await writeFile(join(bench.dir, 'edge.yaml'), yaml.join('---\n'));
    expect(await tulle('apply', '-f', 'edge.yaml')).toMatchObject({ code: 0 });
  };
  /** A program of datagrams with its sidecar, which takes no part in them. @returns its port */
  const program = async (name: string): Promise<string> => {
    const port = await freePort();
    const node = [process.execPath, '-e', PROGRAM, name, port];
    await start('run', '--name', name, '-p', port, '--', ...node).said(/it takes calls from now on/);
    return port;
  };
  const service = (name: string, port: string): string =>
    `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ name: dns, port: 53, protocol: UDP, targetPort: ${port} }] }\n`;
  const open = (...ports: string[]): string =>
    `apiVersion: tulle.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: { name: datagrams }\nspec: { portLevelMtls: { ${ports.map((port) => `${port}: { mode: PERMISSIVE }`).join(', ')} } }\n`;
  const GATEWAY =
    'apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec:\n  gatewayClassName: tulle\n  listeners: [{ name: dns, port: 53, protocol: UDP }, { name: tcp, port: 53, protocol: TCP }]\n';
  const route = (...backends: string[]): string =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: UDPRoute\nmetadata: { name: dns }\nspec: { parentRefs: [{ name: edge, sectionName: dns }], rules: [{ backendRefs: [${backends.join(', ')}] }] }\n`;
  const to = (name: string, weight = 1): string => `{ name: ${name}, port: 53, weight: ${weight} }`;
  const serve = async (port: string, ...more: string[]): Promise<Running> => {
    const gateway = start('gateway', '--name', 'edge', '--listen', `53=${port}`, ...more);
    await gateway.said(/Gateway default\/edge listens/);
    return gateway;
  };
  const statusOf = async (...of: string[]): Promise<string> =>
    (await tulle('get', ...of, '-o', 'yaml')).out.replace(/\s+/g, ' ');

  it('are split by weight, session by session, and the share of a backend that is not there is dropped', async () => {
    const [one, two] = [await program('one'), await program('two')];
    const services = [GATEWAY, service('one', one), service('two', two), open(one, two)];
    await apply(...services, route(to('one'), to('two'), to('never', 0)));
    const port = await freePort();
    await serve(port, '--workers', '2');
    await expect.poll(() => draw(port), { timeout: 45_000 }).toEqual(set('one', 'two'));
    // What comes from one port stays where it went first.
    const callers = await Promise.all(Array.from({ length: 12 }, () => caller(port)));
    for (const ask of callers) {
      const first = (await ask('0')).split(':')[0];
      for (let i = 1; i < 5; i++) expect(await ask(`${i}`)).toBe(`${first}:${i}`);
    }
    await expect
      .poll(() => statusOf('gateway', 'edge'), { timeout: 45_000 })
      .toMatch(
        /name: dns attachedRoutes: 1 supportedKinds: - group: gateway.networking.k8s.io kind: UDPRoute /,
      );
    expect(await statusOf('gateway', 'edge')).not.toMatch(/status: "False" reason: (?!NoConflicts)/);
    const routed = await statusOf('udproute', 'dns');
    expect(routed).toMatch(/status: "True" reason: Accepted/);
    expect(routed).toMatch(/reason: BackendNotFound/);
    expect(routed).toMatch(/type: tulle.dev\/Encrypted status: "False" reason: Datagrams /);
    await apply(...services, route(to('one'), to('gone')));
    await expect.poll(() => draw(port), { timeout: 45_000 }).toEqual(set('one', ''));
    await apply(...services, route(to('two', 0)));
    await expect.poll(() => draw(port, 5), { timeout: 45_000 }).toEqual(set(''));
  }, 240_000);

  it('do not go to a workload that takes mutual TLS alone, until it says that it takes them', async () => {
    const one = await program('one');
    await apply(GATEWAY, service('one', one), route(to('one')));
    const port = await freePort();
    await serve(port);
    await expect
      .poll(() => statusOf('udproute', 'dns'), { timeout: 45_000 })
      .toMatch(/reason: MutualTLSRequired/);
    expect(await draw(port, 3)).toEqual(set(''));
    const found = await tulle('analyze', '-f', 'edge.yaml');
    expect(found.code).toBe(0);
    expect(found.out + found.err).toMatch(/TULLE0414/);
    await apply(GATEWAY, service('one', one), route(to('one')), open(one));
    await expect.poll(() => draw(port, 3), { timeout: 45_000 }).toEqual(set('one'));
  }, 180_000);

  it('go to endpoints outside of the mesh, are told of once a session is over, and are served on while a gateway leaves', async () => {
    const origin = await socket();
    origin.on('message', (bytes, { port, address }) =>
      origin.send(`outside:${bytes.toString()}`, port, address),
    );
    const slice = `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: outside, labels: { kubernetes.io/service-name: outside } }\naddressType: IPv4\nendpoints: [{ addresses: [127.0.0.1] }]\nports: [{ name: dns, port: ${origin.address().port}, protocol: UDP }]\n`;
    const short = `apiVersion: tulle.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: outside }\nspec: { targetRefs: [{ group: '', kind: Service, name: outside }], timeouts: { idle: 2s } }\n`;
    await apply(GATEWAY, service('outside', '9'), slice, short, route(to('outside')));
    const port = await freePort();
    const log = join(bench.dir, 'access.log');
    const gateway = await serve(port, '--access-log', log);
    await expect.poll(() => draw(port, 1), { timeout: 45_000 }).toEqual(set('outside'));
    await expect
      .poll(() => readFile(log, 'utf8').catch(() => ''), { timeout: 45_000 })
      .toMatch(
        /"protocol":"UDP".*"upstream_cluster":"outbound\|53\/udp\|\|outside\.default\.svc\.mesh\.local"/,
      );
    const listeners = await tulle('config', 'listeners', 'edge');
    expect(listeners).toMatchObject({ code: 0 });
    expect(listeners.out).toContain(`gateway_127.0.0.1_${port}_udp`);
    const ask = await caller(port);
    expect(await ask('before')).toBe('outside:before');
    gateway.process.kill('SIGTERM');
    for (let i = 0; i < 5; i++) expect(await ask(`leaving ${i}`)).toBe(`outside:leaving ${i}`);
    expect(await gateway.ended).toMatchObject({ code: 0 });
    expect(await ask('after')).toBe('');
  }, 180_000);
});
