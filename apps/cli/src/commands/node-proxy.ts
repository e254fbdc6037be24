import { join } from 'node:path';
import { DirectoryInUseError } from '@tulle/directory-lock';
import { CaptureUnavailableError, describeRestart } from '@tulle/sidecar';
import { startNodeProxy, type IfProxyDies, type NodeProxy } from '@tulle/node-proxy';
import { tulleDirectories } from '@tulle/sidecar/directories';
import { DRAIN_FLAGS, drainOf } from '@tulle/sidecar/flags';
import { API_OPTION } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { personLog } from '../cli/person-log.ts';
import { joinTokenFor, meshToJoin } from './mesh-to-join.ts';
import { nodeProxyRunDirectory, WORKLOADS_OPTION, workloadsDirectory } from './node-proxy-directory.ts';

const DEFAULT_STOP_SECONDS = 10;

const DEATHS: Readonly<Record<IfProxyDies, string>> = {
  open: 'if it ends or is killed, connections go past it (fail open)',
  closed:
    'if it ends or is killed, no connection gets out of a workload or in until it is back (fail closed); tulle node-proxy remove lifts that',
};

function hintFor(error: unknown): string | undefined {
  if (error instanceof DirectoryInUseError) return 'a node has one proxy; stop it first';
  if (error instanceof CaptureUnavailableError)
    return 'a sidecar works without all that, at explicit ports: tulle run --upstream SERVICE=PORT';
  return undefined;
}

export const command: Command = defineCommand({
  summary: 'Run the proxy of a node: layer 4 and mutual TLS for many workloads in network namespaces',
  details:
    'Serves every workload that tulle node-proxy add, or whoever makes the network namespaces, put into a directory. Each keeps\n' +
    'an identity of its own; its connections are captured in its namespace and carried by tunnels (HBONE, port 15008).\n\n' +
    'Policies are enforced as far as connections tell: by identity, network and port. A rule that asks for something of a\n' +
    'request allows nobody here, and denies whoever it might mean.\n\n' +
    'Needs Linux, root and nft. When it ends or is killed, --if-proxy-dies says what becomes of traffic: open, the rules go with it\n' +
    'and it flows as if there were no mesh; closed, the rules stay and no connection gets out of a workload or in until a proxy\n' +
    'serves it again, or tulle node-proxy remove lifts that.\n\n' +
    'SIGHUP replaces its engine without refusing or cutting a connection, SIGTERM leaves the mesh first.',
  ownSignals: true,
  options: {
    ...WORKLOADS_OPTION,
    'control-plane': {
      type: 'list',
      value: 'HOST:PORT',
      help: 'xDS and CA; default: the control plane of this machine',
    },
    'trust-domain': { type: 'string', value: 'NAME', help: 'trust domain of the mesh' },
    token: {
      type: 'string',
      value: 'TOKEN',
      help: 'join token for workloads without one; default: asked of the control plane of this machine',
    },
    'if-proxy-dies': {
      type: 'string',
      value: 'HOW',
      help: 'new connections of workloads that no proxy serves: open, they go where they were meant, or closed',
      choices: ['open', 'closed'],
      defaultText: 'open',
    },
    ...DRAIN_FLAGS,
    'drain-seconds': {
      type: 'number',
      value: 'N',
      help: 'at most so long for what runs when it is told to end',
      defaultText: String(DEFAULT_STOP_SECONDS),
    },
    quiet: { type: 'boolean', short: 'q', help: 'say nothing but errors' },
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle node-proxy', does: 'the proxy of this node' },
    {
      command: 'tulle node-proxy add web --network /run/netns/web --address 10.0.0.7 --port 8080',
      does: 'a workload of it',
    },
  ],
  async run({ io, options }) {
    const mesh = await meshToJoin(io, options);
    const directory = workloadsDirectory(io, options.workloads);
    const ifProxyDies = (options['if-proxy-dies'] ?? 'open') as IfProxyDies;
    const drain = drainOf(options);
    const say = (text: string): void => {
      if (!options.quiet) io.err(`tulle: ${text}\n`);
    };
    let proxy: NodeProxy;
    try {
      proxy = await startNodeProxy({
        controlPlane: mesh,
        workloads: directory,
        stateDir: join(tulleDirectories(io.env).state, 'node-proxy'),
        runDir: nodeProxyRunDirectory(io),
        joinToken: async ({ namespace, serviceAccount, labels }) =>
          joinTokenFor(io, options, { namespace, serviceAccount, labels }),
        ifProxyDies,
        drainWindowMs: drain.windowMs,
        drainTimeoutMs: drain.deadlineMs,
        log: personLog(io, options.quiet ? 'error' : 'warn'),
      });
    } catch (error) {
      throw new CliError(
        EXIT.failed,
        error instanceof Error ? error.message : String(error),
        hintFor(error),
        { cause: error },
      );
    }
    const timeline = describeRestart(drain);
    say(`serves the workloads in ${directory}; ${DEATHS[ifProxyDies]}`);
    say(
      'every port of a workload is captured: those that it does not name are reached by plain text, where a PeerAuthentication says PERMISSIVE',
    );
    say(`a restart: ${timeline}`);
    const restart = (): void => {
      proxy.restart().then(
        () => say(`restarted: ${timeline}`),
        (error: unknown) =>
          io.err(`error: restart: ${error instanceof Error ? error.message : String(error)}\n`),
      );
    };
    process.on('SIGHUP', restart);
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    process.off('SIGHUP', restart);
    await proxy.stop((options['drain-seconds'] ?? DEFAULT_STOP_SECONDS) * 1000);
    return EXIT.ok;
  },
});
