#!/usr/bin/env node
// The sidecar alone, e.g. as a container beside another: `node main.ts --name web --port 8080 --control-plane HOST:PORT`.
// Beside a program on the same machine, `tulle run` starts program and sidecar together.
import { join } from 'node:path';
import { verifyFilters } from '@tulle/filter-loader';
import { formatAddress } from '@tulle/model';
import { tulleDirectories } from './directories.ts';
import { CaptureUnavailableError, WITHOUT_CAPTURE } from './capture/capture-error.ts';
import { describeCapture } from './capture/describe-capture.ts';
import { captureOf, FlagError, flagsHelp, readFlags, SIDECAR_FLAGS, sidecarOptions } from './flags/index.ts';
import { DRAIN, describeRestart } from './drain.ts';
import { describeProgress } from './progress.ts';
import { describeUpstream, startSidecar } from './sidecar.ts';

const FLAGS = {
  ...SIDECAR_FLAGS,
  'control-plane': {
    ...SIDECAR_FLAGS['control-plane'],
    help: 'xDS and CA; may be repeated for xDS; required',
  },
  'trust-domain': { ...SIDECAR_FLAGS['trust-domain'], help: 'trust domain of the mesh; required' },
  'otlp-endpoint': {
    ...SIDECAR_FLAGS['otlp-endpoint'],
    help: 'traces to this collector (OTLP/HTTP), as OTEL_EXPORTER_OTLP_ENDPOINT; the other OTEL_ variables hold too',
  },
  capture: {
    ...SIDECAR_FLAGS.capture,
    help: 'lead all connections of this network namespace to the sidecar, both ways (Linux, root, nft)',
  },
  'start-timeout': {
    ...SIDECAR_FLAGS['start-timeout'],
    help: 'give up when there is no identity by then; 0 for no limit',
    defaultText: '60',
  },
  'service-account': { type: 'string', value: 'NAME', help: 'service account', defaultText: '--name' },
  'state-dir': { type: 'string', value: 'DIR', help: 'identity, saved configuration, chosen ports' },
  'run-dir': { type: 'string', value: 'DIR', help: 'sockets; a short path' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
} as const;

const USAGE = `Usage: tulle-sidecar --name NAME [--port PORT …] --control-plane HOST:PORT --trust-domain NAME [options]

${flagsHelp(FLAGS)}
`;

const usage = (error: unknown): never => {
  if (!(error instanceof FlagError)) throw error;
  const hint = error.hint === undefined ? '' : `hint:  ${error.hint}\n`;
  process.stderr.write(`error: ${error.message}\n${hint}\n${USAGE}`);
  process.exit(64);
};

const argv = process.argv.slice(2);
if (argv.includes('--help') || argv.includes('-h')) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const allowed = (file: string): ReturnType<typeof verifyFilters> => {
  try {
    return verifyFilters(file);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(65);
  }
};
const read = async (): Promise<Parameters<typeof startSidecar>[0]> => {
  const flags = readFlags(FLAGS, argv, process.env);
  const options = await sidecarOptions(flags, process.env);
  const capture = captureOf(flags, 'namespace');
  const trustDomain = flags['trust-domain'];
  const xds = flags['control-plane'];
  if (xds.length === 0) throw new FlagError('--control-plane is missing');
  if (trustDomain === undefined) throw new FlagError('--trust-domain is missing');
  const directories = tulleDirectories();
  const instance = `${options.namespace}.${options.name}`;
  const serviceAccount = flags['service-account'];
  const seconds = flags['start-timeout'];
  return {
    ...options,
    ...(capture === undefined ? {} : { capture }),
    controlPlane: { xds, trustDomain },
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(flags.token === undefined ? {} : { joinToken: flags.token }),
    ...(seconds === undefined ? {} : { startTimeoutMs: seconds * 1000 }),
    onProgress: (progress) => void process.stderr.write(`${describeProgress(progress)}\n`),
    ...(flags.filters === undefined ? {} : { filters: allowed(flags.filters) }),
    stateDir: flags['state-dir'] ?? join(directories.state, 'proxies', instance),
    runDir: flags['run-dir'] ?? join(directories.run, instance),
  };
};

const failed = (error: unknown): never => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof CaptureUnavailableError) process.stderr.write(`hint:  ${WITHOUT_CAPTURE}\n`);
  process.exit(1);
};
const options = await read().catch(usage);
const sidecar = await startSidecar(options).catch(failed);
process.stderr.write(
  `${[`sidecar of ${sidecar.spiffeId}`, `inbound ${formatAddress(sidecar.inbound)}`, ...sidecar.upstreams.map(describeUpstream), `admin ${formatAddress(sidecar.admin)}`].join(', ')}\n`,
);
if (sidecar.capture !== undefined) process.stderr.write(`${describeCapture(sidecar.capture)}\n`);
const timeline = describeRestart(options.drain ?? DRAIN, options.supervisor);
process.stderr.write(`a restart (SIGHUP): ${timeline}\n`);
void sidecar.ready().catch(async (error: unknown) => {
  await sidecar.stop(0);
  failed(error);
});
process.on(
  'SIGHUP',
  () =>
    void sidecar.restart().then(
      () => process.stderr.write(`restarted: ${timeline}\n`),
      (error: unknown) => process.stderr.write(`error: restart: ${String(error)}\n`),
    ),
);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void sidecar.stop().then(() => process.exit(0)));
