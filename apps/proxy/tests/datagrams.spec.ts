import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'tpu-'));
const MAIN = join(import.meta.dirname, '../src/main.ts');
const running: ChildProcess[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const one of sockets.splice(0)) one.close();
  for (const child of running.splice(0)) {
    if (child.exitCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'close');
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function socket(): Promise<Socket> {
  const made = createSocket('udp4');
  sockets.push(made);
  made.bind(0, '127.0.0.1');
  await once(made, 'listening');
  return made;
}

const portOf = (one: Socket): number => one.address().port;

/** Asks until it is answered: a datagram that nobody takes yet is lost. */
async function ask(text: string, port: number): Promise<string> {
  const caller = await socket();
  let answer = '';
  caller.on('message', (bytes) => (answer = bytes.toString()));
  await expect
    .poll(
      () => {
        if (answer === '') caller.send(text, port, '127.0.0.1');
        return answer;
      },
      { timeout: 30_000, interval: 200 },
    )
    .not.toBe('');
  return answer;
}

it('runs the UDP proxy of an Envoy bootstrap, in two processes, which share its port', async () => {
  const origin = await socket();
  origin.on('message', (bytes, { port, address }) => origin.send(`heard ${bytes.toString()}`, port, address));
  const reserved = await socket();
  const port = portOf(reserved);
  sockets.splice(sockets.indexOf(reserved), 1);
  await new Promise<void>((resolve) => reserved.close(() => resolve()));
  const file = join(directory, 'udp.yaml');
  writeFileSync(
    file,
    `
static_resources:
  listeners:
  - name: dns
    address: { socket_address: { protocol: UDP, address: 127.0.0.1, port_value: ${port} } }
    udp_listener_config: { downstream_socket_config: { max_rx_datagram_size: 9000 } }
    listener_filters:
    - name: envoy.filters.udp_listener.udp_proxy
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig
        stat_prefix: dns
        matcher:
          on_no_match:
            action:
              name: route
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route
                cluster: resolver
  clusters:
  - name: resolver
    type: STATIC
    load_assignment:
      cluster_name: resolver
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { protocol: UDP, address: 127.0.0.1, port_value: ${portOf(origin)} } } }
`,
  );
  const args = ['-c', file, '--concurrency', '2', '--admin-address-path', join(directory, 'admin')];
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, TULLE_RUN_DIR: join(directory, 'r') },
    stdio: 'ignore',
  });
  running.push(child);
  expect(await ask('first', port)).toBe('heard first');
  const texts = Array.from({ length: 12 }, (_, i) => `caller ${i}`);
  expect(await Promise.all(texts.map((text) => ask(text, port)))).toEqual(
    texts.map((text) => `heard ${text}`),
  );
}, 60_000);
