import { fileURLToPath } from 'node:url';
import { bundle } from '../bundle.ts';
import type { Scenario } from '../scenarios.ts';
import type { Subject } from './subject.ts';

type Name = 'node-http' | 'http-proxy' | 'fastify-proxy';

const ON: Readonly<Record<Name, string>> = {
  'node-http': 'http.createServer piped to http.request over a keep-alive Agent; nothing else',
  'http-proxy': "npm's http-proxy with a keep-alive Agent; nothing else",
  'fastify-proxy': "npm's fastify and @fastify/http-proxy (undici); nothing else",
};

/** What people run on Node today. They do nothing but forward, and have no mesh variant. */
export function nodeProxy(name: Name): Subject {
  return {
    name,
    variant: 'plain',
    on: ON[name],
    between: name === 'node-http' ? 'http2' : 'http1',
    note: (scenario) =>
      name === 'node-http' && scenario.upstream === 'http2'
        ? 'http2.createServer piped to http2.connect, one session to the origin'
        : undefined,
    unfit: (scenario) => unfit(name, scenario),
    missing: () => undefined,
    async start(setup) {
      const { pki, hop } = setup;
      const program = fileURLToPath(
        new URL(
          name === 'node-http' && hop.downstream.protocol === 'http2'
            ? '../node-http2-process.ts'
            : `../${name}-process.ts`,
          import.meta.url,
        ),
      );
      const tls = (who: 'client' | 'origin'): object =>
        who === 'client'
          ? { key: pki.clientKeyFile, cert: pki.clientCertFile, ca: pki.caFile }
          : { key: pki.originKeyFile, cert: pki.originCertFile, ca: pki.caFile };
      const { pid } = setup.spawn(process.execPath, [
        await bundle(program, setup.directory),
        JSON.stringify({
          listenPort: hop.listenPort,
          originPort: hop.upstreamPort,
          tls: hop.upstream.tls ? tls('client') : null,
          serverTls: hop.downstream.tls ? tls('origin') : null,
        }),
      ]);
      return { pids: () => [pid] };
    },
  };
}

function unfit(name: Name, scenario: Scenario): string | undefined {
  if (scenario.many !== undefined) return 'it has no routes and clusters of its own';
  if (scenario.pair) return 'nobody runs pairs of it';
  if (name === 'node-http') return undefined;
  if (scenario.upstream === 'http2') return 'HTTP/1.1 only as it is used here';
  return undefined;
}
