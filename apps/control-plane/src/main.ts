#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { startControlPlane } from './start.ts';

const HELP = `Usage: control-plane --state-dir DIR [options]

  --state-dir DIR       keys of the CA, resources of REST, control-plane.json
  --config-dir DIR      follow the resources in this directory
  --listen HOST:PORT    xDS and CA, mutual TLS (default 127.0.0.1:0, a free port)
  --api PATH|PORT       REST: a Unix socket or a loopback port (default 0, a free port)
  --raw-xds ADDRESS     serve resources as they are put over REST, in plain text: HOST:PORT of loopback, or unix:PATH
  --filters FILE        allow-list of filters that are npm packages, to validate what policies give them
  --trust-domain NAME   default mesh.local
  --help
`;

async function main(): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        'state-dir': { type: 'string' },
        'config-dir': { type: 'string' },
        listen: { type: 'string' },
        api: { type: 'string' },
        'raw-xds': { type: 'string' },
        filters: { type: 'string' },
        'trust-domain': { type: 'string' },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return 64;
  }
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const listen = /^(.*):(\d+)$/.exec(values.listen ?? '127.0.0.1:0');
  if (values['state-dir'] === undefined || listen === null) {
    process.stderr.write(
      `${listen === null ? '--listen must be HOST:PORT' : '--state-dir is needed'}\n\n${HELP}`,
    );
    return 64;
  }
  const api = values.api ?? '0';
  const raw = /^(?:unix:(?<path>\/.+)|(?<host>.+):(?<port>\d+))$/.exec(values['raw-xds'] ?? '')?.groups;
  if (values['raw-xds'] !== undefined && raw === undefined) {
    process.stderr.write(`--raw-xds must be HOST:PORT or unix:PATH\n\n${HELP}`);
    return 64;
  }
  const running = await startControlPlane({
    stateDir: values['state-dir'],
    ...(values['config-dir'] === undefined ? {} : { configDir: values['config-dir'] }),
    ...(values['trust-domain'] === undefined ? {} : { trustDomain: values['trust-domain'] }),
    ...(values.filters === undefined ? {} : { filters: values.filters }),
    ...(raw === undefined
      ? {}
      : {
          rawXds:
            raw['path'] === undefined
              ? { host: raw['host'] as string, port: Number(raw['port']) }
              : { path: raw['path'] },
        }),
    listen: { host: listen[1] as string, port: Number(listen[2]) },
    api: /^\d+$/.test(api) ? { port: Number(api) } : { path: api },
  });
  process.stdout.write(`xDS and CA: ${running.endpoints.xds}\nREST: ${running.endpoints.api}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await running.close();
  return 0;
}

process.exitCode = await main();
