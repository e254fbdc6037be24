#!/usr/bin/env node
// The sidecar alone, e.g. as a container beside another: `node main.ts --name web --port 8080 --control-plane HOST:PORT`.
// Beside a program on the same machine, `tulle run` starts program and sidecar together.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { verifyFilters } from '@tulle/filter-loader';
import { formatAddress } from '@tulle/model';
import { tulleDirectories } from './directories.ts';
import type { UpstreamOption } from './options.ts';
import { describeProgress } from './progress.ts';
import { describeUpstream, startSidecar } from './sidecar.ts';
import { telemetryOf } from './telemetry-flags.ts';

const USAGE = `Usage: tulle-sidecar --name NAME [--port PORT …] --control-plane HOST:PORT --trust-domain NAME [options]

  --name NAME               workload; also its service account unless that is given
  --port PORT               what the program listens on; may be repeated
  --upstream SERVICE=PORT   a service (name, name.namespace, or either with :servicePort) and where the program finds it
  --namespace NAME          default default
  --service-account NAME    default the name
  --label KEY=VALUE         may be repeated; default app=NAME
  --control-plane HOST:PORT xDS and CA; may be repeated for xDS
  --trust-domain NAME       of the mesh
  --token TOKEN             join token, or TULLE_TOKEN; not needed while a saved identity is valid
  --inbound HOST:PORT       where it takes calls of other sidecars; default 127.0.0.1 and a free port
  --advertise HOST[:PORT]   where they reach it, when that is another address: behind a port mapping or a load balancer
  --no-port-check           an endpoint at once; default when the program accepts on its ports
  --start-timeout SECONDS   give up when there is no identity by then; default 60, 0 for no limit
  --filters FILE            allow-list of filters that are npm packages; tulle filters allow writes it
  --workers N               engine processes, default 1
  --no-supervisor           everything in this process
  --access-log FILE         - for standard output; default none
  --access-log-format FORMAT
                            tulle (JSON, the default), envoy, istio, istio-json, or a text of Envoy's operators
  --metrics DIALECT         native or istio; may be repeated; default native
  --otlp-endpoint URL       traces to this collector (OTLP/HTTP), as OTEL_EXPORTER_OTLP_ENDPOINT; the other OTEL_ variables
                            hold too
  --trace-ratio SHARE       of the traces begun here, 0 to 1; default 0.01
  --state-dir DIR, --run-dir DIR
`;

const usage = (message: string): never => {
  process.stderr.write(`error: ${message}\n\n${USAGE}`);
  process.exit(64);
};

let values;
try {
  ({ values } = parseArgs({
    options: {
      name: { type: 'string' },
      port: { type: 'string', multiple: true },
      upstream: { type: 'string', multiple: true },
      namespace: { type: 'string' },
      'service-account': { type: 'string' },
      label: { type: 'string', multiple: true },
      'control-plane': { type: 'string', multiple: true },
      'trust-domain': { type: 'string' },
      token: { type: 'string' },
      inbound: { type: 'string' },
      advertise: { type: 'string' },
      'no-port-check': { type: 'boolean' },
      'start-timeout': { type: 'string' },
      filters: { type: 'string' },
      workers: { type: 'string' },
      'no-supervisor': { type: 'boolean' },
      'access-log': { type: 'string' },
      'access-log-format': { type: 'string' },
      metrics: { type: 'string', multiple: true },
      'otlp-endpoint': { type: 'string' },
      'trace-ratio': { type: 'string' },
      'state-dir': { type: 'string' },
      'run-dir': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }));
} catch (error) {
  values = usage(error instanceof Error ? error.message : String(error));
}
if (values.help === true) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const name = values.name ?? usage('--name is missing');
const port = (text: string): number =>
  /^\d{1,5}$/.test(text) && Number(text) <= 65_535
    ? Number(text)
    : usage(`${JSON.stringify(text)} is no port`);
const hostPort = (text: string): { host: string; port: number } => {
  const match =
    /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? usage(`${JSON.stringify(text)} is not HOST:PORT`);
  return { host: (match[1] ?? match[2]) as string, port: port(match[3] as string) };
};
const advertised = (text: string): { host: string; port?: number } =>
  /^(?:\[[^\]]+\]|[^:]+):\d+$/.test(text) ? hostPort(text) : { host: text.replace(/^\[|\]$/g, '') };
const seconds = (text: string): number =>
  /^\d{1,7}(?:\.\d+)?$/.test(text)
    ? Number(text)
    : usage(`--start-timeout ${JSON.stringify(text)} is no number of seconds`);
const upstream = (text: string): UpstreamOption => {
  const match =
    /^([^=:]+)(?::(\d+))?=(\d+)$/.exec(text) ??
    usage(`--upstream ${JSON.stringify(text)} is not SERVICE=PORT`);
  return {
    service: match[1] as string,
    localPort: port(match[3] as string),
    ...(match[2] === undefined ? {} : { servicePort: port(match[2]) }),
  };
};
const label = (text: string): [string, string] => {
  const at = text.indexOf('=');
  return at > 0
    ? [text.slice(0, at), text.slice(at + 1)]
    : usage(`--label ${JSON.stringify(text)} is not KEY=VALUE`);
};
const allowed = (file: string): ReturnType<typeof verifyFilters> => {
  try {
    return verifyFilters(file);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(65);
  }
};
const token = values.token ?? process.env['TULLE_TOKEN'];
const directories = tulleDirectories();
const instance = `${values.namespace ?? 'default'}.${name}`;

const sidecar = await startSidecar({
  name,
  ports: (values.port ?? []).map((text) => ({ port: port(text) })),
  upstreams: (values.upstream ?? []).map(upstream),
  controlPlane: {
    xds: values['control-plane'] ?? usage('--control-plane is missing'),
    trustDomain: values['trust-domain'] ?? usage('--trust-domain is missing'),
  },
  ...(values.namespace === undefined ? {} : { namespace: values.namespace }),
  ...(values['service-account'] === undefined ? {} : { serviceAccount: values['service-account'] }),
  ...(values.label === undefined ? {} : { labels: Object.fromEntries(values.label.map(label)) }),
  ...(token === undefined ? {} : { joinToken: token }),
  ...(values.inbound === undefined ? {} : { inbound: hostPort(values.inbound) }),
  ...(values.advertise === undefined ? {} : { advertise: advertised(values.advertise) }),
  ...(values['start-timeout'] === undefined
    ? {}
    : { startTimeoutMs: seconds(values['start-timeout']) * 1000 }),
  ...(values['no-port-check'] === true ? { readiness: 'immediate' as const } : {}),
  onProgress: (progress) => void process.stderr.write(`${describeProgress(progress)}\n`),
  ...(values['access-log'] === undefined
    ? {}
    : { accessLog: values['access-log'] === '-' ? ('stdout' as const) : { file: values['access-log'] } }),
  telemetry: telemetryOf(values, usage),
  ...(values.filters === undefined ? {} : { filters: allowed(values.filters) }),
  workers: Number(values.workers ?? 1),
  supervisor: values['no-supervisor'] !== true,
  stateDir: values['state-dir'] ?? join(directories.state, 'proxies', instance),
  runDir: values['run-dir'] ?? join(directories.run, instance),
}).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
process.stderr.write(
  `${[`sidecar of ${sidecar.spiffeId}`, `inbound ${formatAddress(sidecar.inbound)}`, ...sidecar.upstreams.map(describeUpstream), `admin ${formatAddress(sidecar.admin)}`].join(', ')}\n`,
);
void sidecar.ready().catch(async (error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  await sidecar.stop(0);
  process.exit(1);
});
process.on(
  'SIGHUP',
  () =>
    void sidecar
      .restart()
      .catch((error: unknown) => process.stderr.write(`error: restart: ${String(error)}\n`)),
);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void sidecar.stop().then(() => process.exit(0)));
