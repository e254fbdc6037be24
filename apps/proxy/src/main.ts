#!/usr/bin/env node
// A proxy from an Envoy bootstrap: `node main.ts -c envoy.yaml`, with the flags of Envoy's program.
import { FlagError, flagsHelp, readFlags } from '@tulle/sidecar/flags';
import { ENVOY_FLAGS } from './flags.ts';
import { runEnvoyProxy } from './run.ts';

const FLAGS = { ...ENVOY_FLAGS, help: { type: 'boolean', short: 'h', help: 'show this help' } } as const;
const USAGE = `Usage: tulle-proxy -c envoy.yaml [options]

${flagsHelp(FLAGS)}
`;

const argv = process.argv.slice(2);
if (argv.includes('--help') || argv.includes('-h')) {
  process.stdout.write(USAGE);
  process.exit(0);
}
try {
  const io = {
    out: (text: string) => void process.stdout.write(text),
    err: (text: string) => void process.stderr.write(text),
  };
  process.exitCode = await runEnvoyProxy(readFlags(FLAGS, argv, process.env), io);
} catch (error) {
  if (!(error instanceof FlagError)) throw error;
  process.stderr.write(
    `error: ${error.message}\n${error.hint === undefined ? '' : `hint:  ${error.hint}\n`}\n${USAGE}`,
  );
  process.exitCode = 64;
}
