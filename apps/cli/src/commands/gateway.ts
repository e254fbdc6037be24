import { resolve } from 'node:path';
import { verifyFilters } from '@tulle/filter-loader';
import { GATEWAY_FLAGS, gatewayOptions, startGateway, type Gateway } from '@tulle/gateway';
import { formatAddress } from '@tulle/model';
import { describeRestart, DRAIN, tulleDirectories } from '@tulle/sidecar';
import { API_OPTION } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';
import { personLog } from '../cli/person-log.ts';
import { allowListOf } from './filters-file.ts';
import { joinTokenFor, meshToJoin } from './mesh-to-join.ts';
import { startInstance } from './run-instance.ts';
import { configured, explainStart, interruption, progressTo } from './run-start.ts';

export const command: Command = defineCommand({
  summary: 'Run a gateway: where the world enters the mesh',
  details:
    'Serves the Gateway (gateway.networking.k8s.io) of its name: listens on the ports of its listeners, ends TLS, and calls\n' +
    'the Services of the routes that attach to it over mutual TLS. What callers claim of themselves is removed.\n\n' +
    'It listens on loopback unless --listen says where the world comes in. Ports below 1024 need the right to them\n' +
    '(CAP_NET_BIND_SERVICE), or another port and a port mapping: --listen 443=8443.\n\n' +
    'Certificates are files where it runs, NAMESPACE/NAME/tls.crt and tls.key below --certificates; new ones are taken into\n' +
    'use without a restart. SIGHUP replaces its processes, SIGTERM lets what runs end first.',
  ownSignals: true,
  options: {
    ...GATEWAY_FLAGS,
    token: {
      ...GATEWAY_FLAGS.token,
      help: 'join token; default: asked of the control plane of this machine',
    },
    'drain-seconds': {
      type: 'number',
      value: 'N',
      help: 'at most so long for what runs when it is told to end',
      defaultText: '10',
    },
    quiet: { type: 'boolean', short: 'q', help: 'say nothing but errors' },
    ...API_OPTION,
  },
  examples: [
    {
      command: 'tulle gateway --name edge --listen 443=8443 --certificates certificates/',
      does: 'the Gateway edge, its port 443 on 127.0.0.1:8443',
    },
    { command: 'tulle gateway --name edge --listen 0.0.0.0', does: 'on every address, at its own ports' },
  ],
  async run({ io, options }) {
    const flags = await gatewayOptions(options, undefined, io.cwd);
    const { name, namespace } = flags;
    const mesh = await meshToJoin(io, options);
    const timeoutMs = (options['start-timeout'] ?? 30) * 1000;
    const startedMs = performance.now();
    const interrupted = interruption('interrupted before it served');
    const say = (text: string): void => {
      if (!options.quiet) io.err(`tulle: ${text}\n`);
    };
    let gateway: Gateway;
    try {
      gateway = await startInstance(
        {
          directories: tulleDirectories(io.env),
          base: `${namespace}.${name}.gateway`,
          many: false,
          hint: 'a machine has one process of a Gateway; for more cores give that one --workers N',
        },
        {
          ...flags,
          controlPlane: mesh,
          joinToken: async () =>
            joinTokenFor(io, options, { namespace, serviceAccount: name, labels: { app: name } }),
          startTimeoutMs: timeoutMs,
          signal: interrupted.signal,
          log: personLog(io, options.quiet ? 'error' : 'warn'),
          engineLogLevel: options.quiet ? 'error' : 'warn',
          onProgress: progressTo(say, name),
          ...(options.filters === undefined
            ? {}
            : { filters: allowListOf(() => verifyFilters(resolve(io.cwd, options.filters ?? ''))) }),
        },
        startGateway,
      ).catch(explainStart);
      await configured(
        gateway,
        timeoutMs,
        timeoutMs - (performance.now() - startedMs),
        interrupted.signal,
      ).catch(async (error: unknown) => {
        await gateway.stop(0);
        return explainStart(error);
      });
    } finally {
      interrupted.done();
    }
    const timeline = describeRestart(flags.drain ?? DRAIN, flags.supervisor);
    const ended = untilSignal(gateway, io, () => say(`restarted: ${timeline}`));
    say(`${gateway.spiffeId} joined; admin ${formatAddress(gateway.admin)}`);
    say(describeListening(gateway, `${namespace}/${name}`));
    say(`a restart (SIGHUP): ${timeline}`);
    await ended;
    await gateway.stop((options['drain-seconds'] ?? 10) * 1000);
    return EXIT.ok;
  },
});

function describeListening(gateway: Gateway, name: string): string {
  const { lastError, refused = [] } = gateway.status().xds ?? {};
  const faults = refused.flatMap(({ reasons }) => reasons);
  const at = gateway.listening().map(formatAddress);
  const where = at.length === 0 ? 'does not listen yet' : `listens on ${at.join(', ')}`;
  const why =
    faults.length > 0
      ? `: ${faults.join('; ')}`
      : at.length === 0
        ? `: ${lastError ?? `apply a Gateway ${name} of class tulle; tulle get gateway says what it waits for`}`
        : '';
  const low = /cannot listen on \S+:(\d+): EACCES/.exec(why)?.[1];
  const hint =
    low === undefined
      ? ''
      : `; or serve it elsewhere, behind a port mapping: --listen ${low}=${Number(low) + 8000}`;
  return `Gateway ${name} ${where}${why}${hint}`;
}

/** Resolves at SIGINT or SIGTERM; SIGHUP replaces the engine processes. */
async function untilSignal(gateway: Gateway, io: Io, restarted: () => void): Promise<void> {
  const restart = (): void =>
    void gateway
      .restart()
      .then(restarted, (error: unknown) =>
        io.err(`error: restart: ${error instanceof Error ? error.message : String(error)}\n`),
      );
  process.on('SIGHUP', restart);
  await new Promise<void>((resolvePromise) => {
    process.once('SIGINT', () => resolvePromise());
    process.once('SIGTERM', () => resolvePromise());
  });
  process.off('SIGHUP', restart);
}
