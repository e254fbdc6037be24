import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, start } from '@tulle/processes';
import { cluster, createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { localhostCertificate } from '../certificate.ts';
import { go, goPrograms } from '../go-programs.ts';
import type { Opened, Suite } from '../suite.ts';
import { reportOf } from './report.ts';

const h2spec = goPrograms('h2spec and h2specd', join(import.meta.dirname, 'h2spec'), {
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec',
  h2specd: 'github.com/summerwind/h2spec/cmd/h2specd',
});

/** Cases of the version that go.mod pins. Those that fail are named in what the suite prints. */
const SERVER_CASES = 146;
const SERVER_PASS = 144;
const CLIENT_CASES = 57;
const CLIENT_PASS = 54;
/** Seconds that a case waits for a reaction. */
const CASE_TIMEOUT_S = '2';

interface Proxied {
  readonly directory: string;
  /** Listener ports of a proxy in front of an HTTP/2 origin. */
  readonly clear: number;
  readonly tls: number;
}

async function open(): Promise<Opened<Proxied>> {
  const directory = await mkdtemp(join(tmpdir(), 'th2-'));
  const files = await localhostCertificate(directory);
  const origin = createHttp2Server((request, response) => {
    request.resume().on('end', () => response.end('an answer with a body\n'));
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  const proxy = createProxy({
    listeners: [
      httpListener({ port: 0, routes: [route('/', 'origin')] }),
      httpListener({
        name: 'tls',
        port: 0,
        tls: { certificate: { kind: 'files', ...files }, alpn: ['h2', 'http/1.1'], minVersion: 'TLSv1.2' },
        routes: [route('/', 'origin')],
      }),
    ],
    clusters: [cluster('origin', [`127.0.0.1:${port}`], { pool: { protocol: 'http2' } })],
  });
  await proxy.start();
  const portOf = (name: string): number => (proxy.addresses()[name] as { port: number }).port;
  return {
    context: { directory, clear: portOf('http'), tls: portOf('tls') },
    async close() {
      await proxy.stop();
      origin.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** Runs h2spec against a listener. @returns what it found, in a line */
async function serverRun({ directory }: Proxied, port: number, ...more: string[]): Promise<string> {
  const report = join(directory, `h2spec-${port}.xml`);
  const args = ['--strict', '--timeout', CASE_TIMEOUT_S, '--host', '127.0.0.1', '--port', `${port}`];
  const { out, err } = await start(h2spec.path('h2spec'), [...args, '--junit-report', report, ...more]).ended;
  const text = await readFile(report, 'utf8').catch(() => {
    throw new Error(`h2spec wrote no report:\n${out}${err}`);
  });
  const { passed, failed, skipped } = reportOf(text);
  const found = `${passed} of ${passed + failed.length + skipped} cases pass${failed.map((name) => `\n      not: ${name}`).join('')}`;
  assert(passed + failed.length + skipped === SERVER_CASES, `other cases than ${SERVER_CASES}: ${found}`);
  assert(passed >= SERVER_PASS, found);
  return found;
}

/** Clusters for the ports that h2specd listens at, one a case. */
async function clientProxy(firstPort: number): Promise<Proxy> {
  const ports = Array.from({ length: CLIENT_CASES + 3 }, (_, n) => String(firstPort + n));
  const proxy = createProxy({
    listeners: [httpListener({ port: 0, routes: ports.map((port) => route(`/${port}`, port)) })],
    clusters: ports.map((port) => cluster(port, [`127.0.0.1:${port}`], { pool: { protocol: 'http2' } })),
  });
  await proxy.start();
  return proxy;
}

/** Runs h2specd against the upstream side: it plays an origin that does wrong. */
async function clientRun(): Promise<string> {
  const firstPort = await freePorts(CLIENT_CASES + 3);
  const proxy = await clientProxy(firstPort);
  try {
    const { port } = proxy.addresses()['http'] as { port: number };
    const client = `${process.execPath} ${join(import.meta.dirname, 'ask.ts')} ${port}`;
    const program = start(h2spec.path('h2specd'), [
      '--strict',
      '--timeout',
      CASE_TIMEOUT_S,
      '--from-port',
      String(firstPort),
      '--exec',
      client,
    ]);
    const [, cases, passed] = await program.said(/(\d+) tests, (\d+) passed/, 240_000);
    // It does not end by itself: its listeners complain for ever that they are closed.
    await program.stop('SIGKILL');
    const wrong = program.text
      .split('\n')
      .filter((line) => line.includes('×'))
      .map((line) => `\n      not: ${line.trim()}`);
    const found = `${passed} of ${cases} cases pass${[...new Set(wrong)].join('')}`;
    assert.equal(Number(cases), CLIENT_CASES, `other cases than ${CLIENT_CASES}: ${found}`);
    assert(Number(passed) >= CLIENT_PASS, found);
    return found;
  } finally {
    await proxy.stop();
  }
}

/** The first of `count` ports of which none is taken, as far as can be seen. */
async function freePorts(count: number): Promise<number> {
  // Below the range that the system gives out by itself, so that no connection takes one meanwhile.
  const first = 21_000 + ((await freePort()) % 9_000);
  return first + count > 31_000 ? first - count : first;
}

export const http2Suite: Suite<Proxied> = {
  name: 'http2',
  about: 'h2spec (strict) against a listener, h2specd against the upstream side',
  needs: [go, h2spec],
  open,
  cases: [
    {
      name: `h2spec in clear text, at least ${SERVER_PASS} of ${SERVER_CASES}`,
      run: (proxied) => serverRun(proxied, proxied.clear),
    },
    {
      name: `h2spec over TLS, at least ${SERVER_PASS} of ${SERVER_CASES}`,
      run: (proxied) => serverRun(proxied, proxied.tls, '--tls', '--insecure'),
    },
    { name: `h2specd, at least ${CLIENT_PASS} of ${CLIENT_CASES}`, run: clientRun },
  ],
};
