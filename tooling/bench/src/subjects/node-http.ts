import { fileURLToPath } from 'node:url';
import { bundle } from '../bundle.ts';
import type { Subject } from './subject.ts';

/** What most Node proxies do: `node:http` server, `http.Agent` with keep-alive, streams piped. It does nothing else. */
export function nodeHttp(): Subject {
  return {
    name: 'node-http',
    variant: 'plain',
    on: 'http.createServer piped to http.request over a keep-alive Agent; nothing else',
    missing: () => undefined,
    async start(setup) {
      const { pki, scenario } = setup;
      const tls = scenario.upstreamTls
        ? { key: pki.clientKeyFile, cert: pki.clientCertFile, ca: pki.caFile }
        : null;
      const { pid } = setup.spawn(process.execPath, [
        await bundle(fileURLToPath(new URL('../node-http-process.ts', import.meta.url)), setup.directory),
        JSON.stringify({ listenPort: setup.listenPort, originPort: setup.originPort, tls }),
      ]);
      return { pids: () => [pid] };
    },
  };
}
