import { resolve } from 'node:path';
import { verifyFilters } from '@tulle/filter-loader';
import {
  describeCapture,
  describeUpstream,
  startSidecar,
  tulleDirectories,
  type Sidecar,
  type SidecarOptions,
} from '@tulle/sidecar';
import { captureOf, SIDECAR_FLAGS, sidecarOptions as sidecarOptionsOf } from '@tulle/sidecar/flags';
import { formatAddress } from '@tulle/model';
import { API_OPTION } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { personLog } from '../cli/person-log.ts';
import { allowListOf } from './filters-file.ts';
import { findProgram } from './find-program.ts';
import { joinTokenFor, meshToJoin } from './mesh-to-join.ts';
import { checkPortsFree } from './program-port.ts';
import { refuseRunning, startInstance, type InstanceChoice } from './run-instance.ts';
import { runProgram } from './run-program.ts';
import { configured, explainStart, interruption, progressTo } from './run-start.ts';

export const command: Command = defineCommand({
  summary: 'Run a program in the mesh: it, and a sidecar beside it',
  details:
    'The program stays as it is. It listens where it always does (--port, on loopback); others reach it through the\n' +
    'sidecar, over mutual TLS, as soon as it accepts there. It calls another service at 127.0.0.1:PORT of\n' +
    '--upstream SERVICE=PORT; the Host it sends may be anything, the port decides which service is meant.\n\n' +
    'With --capture the kernel leads its connections to the sidecar: it calls services by name and port as it always\n' +
    'does, and is reached at its own port. That needs Linux, root and nft; what is missing is said.\n\n' +
    'The program gets every signal once, an order to end when callers have gone elsewhere; when it ends, the sidecar\n' +
    'drains and the command ends with its exit code.',
  rest: { name: 'COMMAND [ARGS…]', help: 'the program and its arguments, after --' },
  ownSignals: true,
  options: {
    ...SIDECAR_FLAGS,
    token: {
      ...SIDECAR_FLAGS.token,
      help: 'join token; default: asked of the control plane of this machine',
    },
    attach: {
      type: 'boolean',
      help: 'what listens on --port already is the program; COMMAND says how long it takes part',
    },
    'leave-seconds': {
      type: 'number',
      value: 'N',
      help: 'at most so long until callers know that it ends, before it gets SIGTERM or SIGINT',
      defaultText: '2',
    },
    'drain-seconds': {
      type: 'number',
      value: 'N',
      help: 'at most so long for what runs when the program has ended',
      defaultText: '5',
    },
    quiet: { type: 'boolean', short: 'q', help: 'say nothing but errors' },
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle run --name web --port 8080 -- node server.js', does: 'a service' },
    {
      command:
        'tulle run --name web --port 8080 --upstream reviews=9001 -- env REVIEWS=http://127.0.0.1:9001 node server.js',
      does: 'one that calls another',
    },
    {
      command: 'sudo tulle run --name web --port 8080 --capture -- node server.js',
      does: 'one that calls others by their names',
    },
    {
      command: 'tulle run --name report --upstream orders=9001 -- python3 report.py',
      does: 'a job: ends when it ends',
    },
  ],
  async run({ io, options, rest }) {
    const [program = '', ...args] = rest;
    const flags = await sidecarOptionsOf(options);
    const capture = captureOf(options, 'program');
    const { name, namespace, labels, ports } = flags;
    findProgram(program, io.cwd, io.env['PATH']);
    // With --no-port-check nobody looks at the ports, before or after.
    const toBeFree = options.attach || options['no-port-check'] ? [] : ports.map(({ port }) => port);
    const choice: InstanceChoice = {
      directories: tulleDirectories(io.env),
      base: [namespace, name, ...ports.slice(0, 1).map((p) => p.port)].join('.'),
      many: ports.length === 0,
    };
    await checkPortsFree(toBeFree).catch(async (error: unknown) => {
      // More often than not it is this very instance's program that listens there.
      await refuseRunning(choice);
      throw error;
    });
    const mesh = await meshToJoin(io, options);
    const timeoutMs = (options['start-timeout'] ?? 30) * 1000;
    const startedMs = performance.now();
    const interrupted = interruption();
    const programStarts = Promise.withResolvers<void>();
    const say = (text: string): void => {
      if (!options.quiet) io.err(`tulle: ${text}\n`);
    };
    const sidecarOptions: Omit<SidecarOptions, 'stateDir' | 'runDir'> = {
      ...flags,
      ...(capture === undefined ? {} : { capture }),
      controlPlane: mesh,
      // Asked only where there is no valid identity: at the first start, and should one have lapsed.
      joinToken: async () => joinTokenFor(io, options, { namespace, serviceAccount: name, labels }),
      startTimeoutMs: timeoutMs,
      signal: interrupted.signal,
      programStarts: programStarts.promise,
      log: personLog(io, options.quiet ? 'error' : 'warn'),
      engineLogLevel: options.quiet ? 'error' : 'warn',
      onProgress: progressTo(say, name),
      ...(options.filters === undefined
        ? {}
        : { filters: allowListOf(() => verifyFilters(resolve(io.cwd, options.filters ?? ''))) }),
    };
    let sidecar: Sidecar;
    try {
      sidecar = await startInstance(choice, sidecarOptions, startSidecar).catch(explainStart);
      await configured(sidecar, timeoutMs, timeoutMs - (performance.now() - startedMs), interrupted.signal)
        .then(async () => checkPortsFree(toBeFree)) // what began to listen while it joined is not the program either
        .catch(async (error: unknown) => {
          await sidecar.stop(0);
          return explainStart(error);
        });
    } catch (error) {
      interrupted.done();
      throw error;
    }
    say(
      `${sidecar.spiffeId} joined; inbound ${formatAddress(sidecar.inbound)}${sidecar.upstreams.map((u) => `, ${describeUpstream(u)}`).join('')}, admin ${formatAddress(sidecar.admin)}`,
    );
    if (sidecar.capture !== undefined) say(`${name} ${describeCapture(sidecar.capture)}`);
    try {
      programStarts.resolve();
      const ended = runProgram({
        command: program,
        args,
        env: programEnv(io.env, sidecar),
        ...(sidecar.capture === undefined ? {} : { cgroup: sidecar.capture.cgroup }),
        terminal: process.stdin.isTTY === true,
        leave: async () => sidecar.leave((options['leave-seconds'] ?? 2) * 1000).catch(() => {}),
      });
      interrupted.done(); // from here on signals are the program's
      return await ended;
    } finally {
      await sidecar.stop((options['drain-seconds'] ?? 5) * 1000);
    }
  },
});

/** The program needs none of it; it is there for those that want to find a port of the system's choice. */
function programEnv(
  env: Readonly<Record<string, string | undefined>>,
  sidecar: Sidecar,
): Record<string, string | undefined> {
  const { TULLE_TOKEN: _secret, ...rest } = env; // a join token is not the program's business
  const found = sidecar.upstreams.map(({ service, address }): [string, string] => [
    `TULLE_UPSTREAM_${service.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`,
    formatAddress(address),
  ]);
  return { ...rest, ...Object.fromEntries(found) };
}
