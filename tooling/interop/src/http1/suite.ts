import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Running, runToEnd, start } from '@tulle/processes';
import { cluster, createProxy, httpListener, type Proxy, route } from '@tulle/proxy';
import { CACHE, cached, program } from '../needs.ts';
import type { Case, Need, Opened, Suite } from '../suite.ts';

const GO = join(import.meta.dirname, 'go');
const PYTHON = join(import.meta.dirname, 'python');
const hash = createHash('sha256');
for (const name of ['main.go', 'origin.go', 'client.go', 'go.mod']) hash.update(readFileSync(join(GO, name)));
const KEY = `http1-go-${hash.digest('hex').slice(0, 12)}`;
const BINARY = join(CACHE, KEY, 'program');

const go = program('go', 'apt-get install golang, or https://go.dev/dl');
const python = program('python3', 'apt-get install python3');
const binary = cached('the Go origin and client', KEY, async (directory) => {
  await cp(GO, directory, { recursive: true });
  await runToEnd('go', ['build', '-o', BINARY, '.'], { cwd: directory, timeoutMs: 400_000 });
});

/** Proxies in front of origins by others. */
interface Proxies {
  /** URL of the proxy in front of the Go origin, and of the one in front of the Python origin. */
  readonly go: string;
  readonly python: string;
}

const originCommands = { go: [BINARY, 'origin'], python: ['python3', join(PYTHON, 'origin.py')] } as const;
type Origin = keyof typeof originCommands;
const ORIGINS = ['go', 'python'] as const;

async function open(): Promise<Opened<Proxies>> {
  const running: Running[] = [];
  const proxies: Proxy[] = [];
  const urls: Partial<Record<Origin, string>> = {};
  for (const name of ORIGINS) {
    const [command, ...args] = originCommands[name];
    const origin = start(command, args);
    running.push(origin);
    const [, address = ''] = await origin.said(/origin on (\S+)/);
    const proxy = createProxy({
      listeners: [httpListener({ port: 0, allowUpgrades: ['echo'], routes: [route('/', 'origin')] })],
      clusters: [cluster('origin', [address])],
    });
    await proxy.start();
    proxies.push(proxy);
    urls[name] = `http://127.0.0.1:${(proxy.addresses()['http'] as { port: number }).port}`;
  }
  return {
    context: urls as Proxies,
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await Promise.all(running.map((origin) => origin.stop()));
    },
  };
}

/** What a client plays, and how a person would say it. */
const PLAYS = {
  'keep-alive': 'ten requests use one connection on either side of the proxy',
  'chunked-request': 'a chunked request arrives chunked, whole, with its target',
  'chunked-response': 'a chunked response arrives chunked and whole',
  'request-trailers': 'trailers of a request arrive',
  'response-trailers': 'trailers of a response arrive',
  continue: 'a body waits for 100 Continue',
  'early-hints': '103 Early Hints comes before the response',
  large: '8 MiB arrive as they were sent',
  head: 'a response to HEAD has no body and the connection stays in step',
  upgrade: 'bytes go both ways after 101 Switching Protocols',
} as const;

function suiteOf(
  name: string,
  about: string,
  needs: readonly Need[],
  cases: readonly { readonly name: string; run(url: string): Promise<void> }[],
): Suite<Proxies> {
  return {
    name,
    about,
    needs: [go, python, binary, ...needs],
    open,
    cases: ORIGINS.flatMap((origin) =>
      cases.map((one): Case<Proxies> => ({
        name: `${origin} origin: ${one.name}`,
        run: (urls) => one.run(urls[origin]),
      })),
    ),
  };
}

const playedBy = (command: readonly [string, ...string[]]) =>
  Object.entries(PLAYS).map(([play, name]) => ({
    name,
    run: async (url: string) => {
      const [file, ...args] = command;
      await runToEnd(file, [...args, play, url], { timeoutMs: 60_000 });
    },
  }));

export const http1GoSuite: Suite<Proxies> = suiteOf(
  'http1-go',
  "HTTP/1.1 of Go's net/http through a Tulle proxy",
  [],
  playedBy([BINARY, 'client']),
);

export const http1PythonSuite: Suite<Proxies> = suiteOf(
  'http1-python',
  "HTTP/1.1 of Python's http.client and bare sockets through a Tulle proxy",
  [],
  playedBy(['python3', join(PYTHON, 'client.py')]),
);

const curl = (...args: string[]): Promise<string> =>
  runToEnd('curl', ['--silent', '--show-error', '--max-time', '30', ...args]);

interface Echoed {
  readonly method: string;
  readonly length: number;
  readonly bytes: number;
}
const echoedBy = (text: string): Echoed => JSON.parse(text) as Echoed;

export const http1CurlSuite: Suite<Proxies> = suiteOf(
  'http1-curl',
  'curl through a Tulle proxy',
  [program('curl', 'apt-get install curl')],
  [
    {
      name: 'two transfers use one connection',
      async run(url) {
        const made = '%{num_connects} ';
        const out = await curl(
          '-o',
          '/dev/null',
          '-o',
          '/dev/null',
          '-w',
          made,
          `${url}/echo`,
          `${url}/chunks`,
        );
        assert.equal(out, '1 0 ');
      },
    },
    {
      name: 'an upload from a pipe is chunked',
      async run(url) {
        const upload = ['-T', '-', `${url}/echo`];
        const out = await runToEnd('curl', ['--silent', '--show-error', '--max-time', '30', ...upload], {
          input: 'x'.repeat(200_000),
        });
        assert.deepEqual(echoedBy(out), { ...echoedBy(out), method: 'PUT', length: -1, bytes: 200_000 });
      },
    },
    {
      name: 'a POST with Expect is answered with 100 before its body',
      async run(url) {
        const out = await curl(
          '-i',
          '-H',
          'expect: 100-continue',
          '--expect100-timeout',
          '20',
          '-d',
          'body',
          `${url}/echo`,
        );
        assert.match(out, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
        assert.match(out, /"bytes": ?4\b/);
      },
    },
    {
      name: 'an HTTP/1.0 request gets a response that its caller can read',
      async run(url) {
        const out = await curl('--http1.0', '-i', `${url}/chunks`);
        assert.match(out, /^HTTP\/1\.[01] 200/);
        assert.doesNotMatch(out, /transfer-encoding/i);
        assert.match(out, /piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n$/);
      },
    },
    {
      name: 'HEAD, and a method that nobody defined',
      async run(url) {
        assert.match(await curl('-I', `${url}/echo`), /^HTTP\/1\.1 200/);
        const status = await curl('-o', '/dev/null', '-w', '%{http_code}', '-X', 'PROPFIND', `${url}/echo`);
        assert.match(status, /^(200|501)$/);
      },
    },
  ],
);

export const http1WrkSuite: Suite<Proxies> = suiteOf(
  'http1-wrk',
  'wrk through a Tulle proxy',
  [program('wrk', 'apt-get install wrk')],
  [
    {
      name: 'two seconds on sixteen connections end without an error',
      async run(url) {
        const out = await runToEnd('wrk', ['-t', '1', '-c', '16', '-d', '2', `${url}/echo`]);
        const [, requests = '0'] = /(\d+) requests in/.exec(out) ?? [];
        assert(Number(requests) > 100, out);
        assert.doesNotMatch(out, /Socket errors|Non-2xx/, out);
      },
    },
  ],
);
