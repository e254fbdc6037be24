import { resolve } from 'node:path';
import { verifyFilters } from '@tulle/filter-loader';
import {
  describeUpstream,
  startSidecar,
  tulleDirectories,
  type Sidecar,
  type SidecarOptions,
} from '@tulle/sidecar';
import { formatAddress } from '@tulle/model';
import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi, findControlPlane } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import { personLog } from '../cli/person-log.ts';
import { allowListOf } from './filters-file.ts';
import { findProgram } from './find-program.ts';
import type { JoinToken } from './token-create.ts';
import { checkPortsFree } from './program-port.ts';
import { startInstance } from './run-instance.ts';
import { runProgram } from './run-program.ts';
import { configured, explainStart, interruption, progressTo } from './run-start.ts';
import { checkName, parseAddress, parseHostPort, parseLabel, parseUpstream } from './upstream-option.ts';

export const command: Command = defineCommand({
  summary: 'Run a program in the mesh: it, and a sidecar beside it',
  details:
    'The program stays as it is. It listens where it always does (--port, on loopback); others reach it through the\n' +
    'sidecar, over mutual TLS, as soon as it accepts there. It calls another service at 127.0.0.1:PORT of\n' +
    '--upstream SERVICE=PORT; the Host it sends may be anything, the port decides which service is meant.\n\n' +
    'The program gets every signal once, an order to end when callers have gone elsewhere; when it ends, the sidecar\n' +
    'drains and the command ends with its exit code.',
  rest: { name: 'COMMAND [ARGS…]', help: 'the program and its arguments, after --' },
  ownSignals: true,
  options: {
    name: {
      type: 'string',
      value: 'NAME',
      help: 'name of the workload, and of its service account',
      required: true,
    },
    port: {
      type: 'list',
      short: 'p',
      value: 'PORT',
      help: 'what the program listens on; may be repeated, or left out for one that only calls others',
    },
    upstream: {
      type: 'list',
      short: 'u',
      value: 'SERVICE=PORT',
      help: 'a service that it calls, and the local port for it; may be repeated',
    },
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'namespace',
      defaultText: 'default',
      env: 'TULLE_NAMESPACE',
    },
    label: {
      type: 'list',
      short: 'l',
      value: 'KEY=VALUE',
      help: 'label by which Services select it; may be repeated',
      defaultText: 'app=NAME',
    },
    'control-plane': {
      type: 'list',
      value: 'HOST:PORT',
      help: 'xDS and CA; default: the one that runs on this machine',
      env: 'TULLE_CONTROL_PLANE',
    },
    'trust-domain': {
      type: 'string',
      value: 'NAME',
      help: 'trust domain of the mesh; default: that of the control plane of this machine',
      env: 'TULLE_TRUST_DOMAIN',
    },
    token: {
      type: 'string',
      value: 'TOKEN',
      help: 'join token; default: asked of the control plane of this machine',
      env: 'TULLE_TOKEN',
    },
    inbound: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'where the sidecar takes calls of others',
      defaultText: '127.0.0.1 and a free port',
    },
    advertise: {
      type: 'string',
      value: 'HOST[:PORT]',
      help: 'where others reach it, when that is another address: behind a port mapping or a load balancer',
      defaultText: '--inbound',
    },
    'no-port-check': {
      type: 'boolean',
      help: 'an endpoint at once; default when the program accepts on its ports',
    },
    attach: {
      type: 'boolean',
      help: 'what listens on --port already is the program; COMMAND says how long it takes part',
    },
    'access-log': { type: 'string', value: 'FILE', help: 'JSON lines, one a request; default none' },
    filters: {
      type: 'string',
      value: 'FILE',
      help: 'allow-list of filters that are npm packages, written by tulle filters allow; default none',
      env: 'TULLE_FILTERS',
    },
    workers: { type: 'number', value: 'N', help: 'processes that move bytes', defaultText: '1' },
    'no-supervisor': { type: 'boolean', help: 'everything in one process' },
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
    'start-timeout': {
      type: 'number',
      value: 'SECONDS',
      help: 'give up when there is no identity and configuration by then',
      defaultText: '30',
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
      command: 'tulle run --name report --upstream orders=9001 -- python3 report.py',
      does: 'a job: ends when it ends',
    },
  ],
  async run({ io, options, rest }) {
    const [program = '', ...args] = rest;
    const name = checkName('name', options.name);
    const namespace = checkName('namespace', options.namespace ?? 'default');
    const ports = options.port.map((text) => {
      if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535)
        throw usageError(`--port ${JSON.stringify(text)} is no port`, 'a number from 1 to 65535');
      return { port: Number(text) };
    });
    const upstreams = options.upstream.map(parseUpstream);
    const clash = upstreams.find(({ localPort }) => ports.some(({ port }) => port === localPort));
    if (clash !== undefined)
      throw usageError(
        `${clash.localPort} cannot be both --port and the local port of ${clash.service}`,
        'the program listens on the one, the sidecar on the other',
      );
    const labels = { app: name, ...Object.fromEntries(options.label.map(parseLabel)) };
    findProgram(program, io.cwd, io.env['PATH']);
    // With --no-port-check nobody looks at the ports, before or after.
    const toBeFree = options.attach || options['no-port-check'] ? [] : ports.map(({ port }) => port);
    await checkPortsFree(toBeFree);
    const local = await findControlPlane(io);
    const xds =
      options['control-plane'].length > 0
        ? options['control-plane']
        : local.xds === undefined
          ? []
          : [local.xds];
    const trustDomain = options['trust-domain'] ?? local.trustDomain;
    if (xds.length === 0)
      throw new CliError(
        EXIT.unreachable,
        'no control plane is known on this machine',
        'start one with tulle control-plane, or say where it is with --control-plane',
      );
    if (trustDomain === undefined)
      throw usageError('--trust-domain is missing', 'the control plane prints it when it starts');
    const accessLog = options['access-log'];
    const { advertise, inbound } = options;
    const timeoutMs = (options['start-timeout'] ?? 30) * 1000;
    const startedMs = performance.now();
    const interrupted = interruption();
    const say = (text: string): void => {
      if (!options.quiet) io.err(`tulle: ${text}\n`);
    };
    const sidecarOptions: Omit<SidecarOptions, 'stateDir' | 'runDir'> = {
      name,
      namespace,
      labels,
      ports,
      upstreams,
      controlPlane: { xds, trustDomain },
      // Asked only where there is no valid identity: at the first start, and should one have lapsed.
      joinToken: async () => {
        if (options.token !== undefined) return options.token;
        const api =
          options.api === undefined ? (await findControlPlane(io)).api : await findApi(io, options.api);
        return api === undefined ? undefined : localToken(api, { namespace, serviceAccount: name, labels });
      },
      workers: options.workers ?? 1,
      supervisor: !options['no-supervisor'],
      readiness: options['no-port-check'] ? 'immediate' : 'port',
      startTimeoutMs: timeoutMs,
      signal: interrupted.signal,
      log: personLog(io),
      onProgress: progressTo(say, name),
      ...(options.filters === undefined
        ? {}
        : { filters: allowListOf(() => verifyFilters(resolve(io.cwd, options.filters ?? ''))) }),
      ...(accessLog === undefined ? {} : { accessLog: { file: accessLog } }),
      ...(inbound === undefined ? {} : { inbound: parseHostPort('inbound', inbound) }),
      ...(advertise === undefined ? {} : { advertise: parseAddress('advertise', advertise) }),
    };
    let sidecar: Sidecar;
    try {
      sidecar = await startInstance(
        {
          directories: tulleDirectories(io.env),
          base: [namespace, name, ...ports.slice(0, 1).map((p) => p.port)].join('.'),
          many: ports.length === 0,
        },
        sidecarOptions,
        startSidecar,
      ).catch(explainStart);
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
    try {
      const ended = runProgram({
        command: program,
        args,
        env: programEnv(io.env, sidecar),
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

/** A token of this machine's control plane; whoever may ask for one may say with which labels. */
async function localToken(
  api: string,
  workload: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly labels: Readonly<Record<string, string>>;
  },
): Promise<string | undefined> {
  // Without an answer a saved identity may still do; the sidecar says so when it does not.
  const client = apiClient(api, new AbortController().signal);
  try {
    return (
      await client.must<JoinToken>('POST', '/api/v1/join-tokens', {
        type: 'application/json',
        text: JSON.stringify(workload),
      })
    ).token;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.unreachable) return undefined;
    throw error;
  }
}
