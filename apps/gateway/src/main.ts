#!/usr/bin/env node
// A gateway alone, e.g. in a container: `node main.ts --name edge --control-plane HOST:PORT --trust-domain NAME`.
// On a machine with a control plane of its own, `tulle gateway` needs less.
import { join } from 'node:path';
import { verifyFilters } from '@tulle/filter-loader';
import { formatAddress } from '@tulle/model';
import { describeProgress, describeRestart, DRAIN, tulleDirectories } from '@tulle/sidecar';
import { FlagError, flagsHelp, readFlags } from '@tulle/sidecar/flags';
import { GATEWAY_FLAGS, gatewayOptions } from './flags.ts';
import { startGateway } from './gateway.ts';

const FLAGS = {
  ...GATEWAY_FLAGS,
  'state-dir': { type: 'string', value: 'DIR', help: 'identity, saved configuration, chosen ports' },
  'run-dir': { type: 'string', value: 'DIR', help: 'sockets; a short path' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
} as const;

const USAGE = `Usage: tulle-gateway --name NAME --control-plane HOST:PORT --trust-domain NAME [options]

${flagsHelp(FLAGS)}
`;

const usage = (error: unknown): never => {
  if (!(error instanceof FlagError)) throw error;
  const hint = error.hint === undefined ? '' : `hint:  ${error.hint}\n`;
  process.stderr.write(`error: ${error.message}\n${hint}\n${USAGE}`);
  process.exit(64);
};
const failed =
  (code: number) =>
  (error: unknown): never => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(code);
  };
const allowed = (file: string): ReturnType<typeof verifyFilters> => {
  try {
    return verifyFilters(file);
  } catch (error) {
    return failed(65)(error);
  }
};
const read = async (): Promise<Parameters<typeof startGateway>[0]> => {
  const flags = readFlags(FLAGS, process.argv.slice(2), process.env);
  const options = await gatewayOptions(flags, process.env);
  const trustDomain = flags['trust-domain'];
  const xds = flags['control-plane'];
  if (xds.length === 0) throw new FlagError('--control-plane is missing');
  if (trustDomain === undefined) throw new FlagError('--trust-domain is missing');
  const directories = tulleDirectories();
  const instance = `${options.namespace}.${options.name}.gateway`;
  const seconds = flags['start-timeout'];
  return {
    ...options,
    controlPlane: { xds, trustDomain },
    ...(flags.token === undefined ? {} : { joinToken: flags.token }),
    ...(seconds === undefined ? {} : { startTimeoutMs: seconds * 1000 }),
    onProgress: (progress) => void process.stderr.write(`${describeProgress(progress)}\n`),
    ...(flags.filters === undefined ? {} : { filters: allowed(flags.filters) }),
    stateDir: flags['state-dir'] ?? join(directories.state, 'proxies', instance),
    runDir: flags['run-dir'] ?? join(directories.run, instance),
  };
};

if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const options = await read().catch(usage);
const timeline = describeRestart(options.drain ?? DRAIN, options.supervisor);
const gateway = await startGateway(options).catch(failed(1));
process.stderr.write(
  `gateway ${gateway.spiffeId}, admin ${formatAddress(gateway.admin)}\na restart (SIGHUP): ${timeline}\n`,
);
process.on(
  'SIGHUP',
  () =>
    void gateway.restart().then(
      () => process.stderr.write(`restarted: ${timeline}\n`),
      (error: unknown) => process.stderr.write(`error: restart: ${String(error)}\n`),
    ),
);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void gateway.stop().then(() => process.exit(0)));
