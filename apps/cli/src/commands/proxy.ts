import { ENVOY_FLAGS, runEnvoyProxy } from '@tulle/envoy-proxy';
import { defineCommand, type Command } from '../cli/command.ts';

export const command: Command = defineCommand({
  summary: 'Run a proxy from an Envoy bootstrap',
  details:
    'Reads the bootstrap (v3) that Envoy reads, with the flags of its program, and does what it says: listeners, clusters and secrets\n' +
    'from the file, and what a management server adds over ADS. What is not done is refused by name, line and column, everything at\n' +
    'once; --mode validate says so without serving.\n\n' +
    'SIGHUP reads the bootstrap again, SIGUSR2 replaces the engine processes, SIGTERM lets what runs end first. Ends with 65 where the\n' +
    'bootstrap cannot be used, and with 79 where it validates with fields that are read over.',
  ownSignals: true,
  options: ENVOY_FLAGS,
  examples: [
    { command: 'tulle proxy -c envoy.yaml', does: 'in the place of envoy -c envoy.yaml' },
    { command: 'tulle proxy -c envoy.yaml --mode validate', does: 'what would be refused' },
  ],
  async run({ io, options }) {
    return runEnvoyProxy(options, io);
  },
});
