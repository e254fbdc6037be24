import { join, resolve } from 'node:path';
import { splitAddress, type XdsTunnel } from '@tulle/agent';
import { type Address, formatAddress } from '@tulle/model';
import { tulleDirectories } from '@tulle/sidecar/directories';
import {
  FlagError,
  parseHostPort,
  SIDECAR_FLAGS,
  sidecarOptions,
  type SidecarFlagValues,
} from '@tulle/sidecar/flags';
import { type EnvoySeat, writeEnvoyBootstrap } from '../agent/envoy-seat.ts';
import { untilEnvoyQuiet } from '../agent/envoy-quiet.ts';
import { openGrpcSeat } from '../agent/grpc-seat.ts';
import { type Agent, startAgent } from '../agent/start-agent.ts';
import { serveXdsRelay, type XdsRelay } from '../agent/xds-relay.ts';
import { API_OPTION } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { personLog } from '../cli/person-log.ts';
import { findProgram } from './find-program.ts';
import { joinTokenFor, meshToJoin } from './mesh-to-join.ts';
import { startInstance } from './run-instance.ts';
import { runProgram } from './run-program.ts';
import { explainStart, interruption, progressTo } from './run-start.ts';

export const command: Command = defineCommand({
  summary: "Give a workload's identity to Envoy and others on this machine",
  details:
    'Makes a key, joins as a sidecar does, and keeps the certificate fresh. Serves both on a Unix socket that only this user\n' +
    "can open: Envoy's SDS (secrets default and ROOTCA, SPIFFE ids, ALL) and the X.509 part of the SPIFFE Workload API.\n" +
    'What rotates is pushed; a restart without the CA serves the identity that was saved.\n\n' +
    "With --envoy-bootstrap it also writes the bootstrap of an Envoy that is the workload's proxy, driven by the control\n" +
    'plane: --port, --upstream, --inbound and --advertise mean what they mean for tulle run.\n\n' +
    "With --grpc-bootstrap it writes that of a program with gRPC's own xDS, client, server or both, without a proxy: its certificate\n" +
    'is kept fresh in files, and a Unix socket leads to the control plane. --port is where its server listens; Services it finds by\n' +
    'xds:///NAME.NAMESPACE:PORT.\n\n' +
    'With COMMAND it runs that, e.g. Envoy, and ends with it; without, it ends with SIGINT or SIGTERM. Told to end, an Envoy is\n' +
    'first taken out of the mesh: callers go elsewhere, then it gets the signal.',
  rest: {
    name: 'COMMAND [ARGS…]',
    help: 'a program that uses the identity, and its arguments, after --',
    optional: true,
  },
  ownSignals: true,
  options: {
    name: SIDECAR_FLAGS.name,
    namespace: SIDECAR_FLAGS.namespace,
    label: SIDECAR_FLAGS.label,
    'control-plane': SIDECAR_FLAGS['control-plane'],
    'trust-domain': SIDECAR_FLAGS['trust-domain'],
    token: {
      ...SIDECAR_FLAGS.token,
      help: 'join token; default: asked of the control plane of this machine',
    },
    'start-timeout': {
      ...SIDECAR_FLAGS['start-timeout'],
      help: 'give up when there is no identity by then; 0 for no limit',
    },
    socket: {
      type: 'string',
      value: 'PATH',
      help: 'Unix socket of SDS and the Workload API',
      defaultText: 'sds.sock in the run directory of this agent',
    },
    admin: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'loopback address of /status and /stats/prometheus',
      defaultText: 'a Unix socket',
    },
    'envoy-bootstrap': {
      type: 'string',
      value: 'FILE',
      help: 'write an Envoy bootstrap (JSON) for this workload',
    },
    'envoy-admin': {
      type: 'string',
      value: 'HOST:PORT',
      help: "where that Envoy's admin interface is",
      defaultText: 'a Unix socket',
    },
    'grpc-bootstrap': {
      type: 'string',
      value: 'FILE',
      help: 'write a gRPC bootstrap (JSON) for this workload; COMMAND finds it by GRPC_XDS_BOOTSTRAP',
    },
    port: SIDECAR_FLAGS.port,
    upstream: SIDECAR_FLAGS.upstream,
    inbound: SIDECAR_FLAGS.inbound,
    advertise: SIDECAR_FLAGS.advertise,
    locality: SIDECAR_FLAGS.locality,
    'access-log': { ...SIDECAR_FLAGS['access-log'], help: "Envoy's: a line a request" },
    'otlp-endpoint': {
      ...SIDECAR_FLAGS['otlp-endpoint'],
      help: 'traces of Envoy to this collector (OTLP/HTTP)',
    },
    'trace-ratio': SIDECAR_FLAGS['trace-ratio'],
    'leave-seconds': {
      type: 'number',
      value: 'N',
      help: 'at most so long until callers know that an Envoy run as COMMAND ends, and its requests are done, before it gets the signal',
      defaultText: '2',
    },
    quiet: { type: 'boolean', short: 'q', help: 'say nothing but errors' },
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle agent --name web', does: 'identity of web for SDS and SPIFFE clients' },
    {
      command:
        'tulle agent --name web --port 8080 --upstream reviews=9001 --envoy-bootstrap envoy.json -- envoy -c envoy.json',
      does: 'an Envoy as the sidecar of what listens on 8080',
    },
    {
      command: 'tulle agent --name orders --port 50051 --grpc-bootstrap xds.json -- node orders.js',
      does: 'a gRPC server of the mesh without a proxy',
    },
  ],
  async run({ io, options, rest }) {
    const said = (flags: readonly SeatFlag[]): SeatFlag | undefined =>
      flags.find((flag) => options[flag] !== undefined && options[flag].length > 0);
    const bootstrapFile = options['envoy-bootstrap'];
    const grpcFile = options['grpc-bootstrap'];
    if (bootstrapFile !== undefined && grpcFile !== undefined)
      throw new FlagError('--envoy-bootstrap and --grpc-bootstrap', 'a workload has one seat: choose one');
    const forEnvoy = bootstrapFile === undefined ? said(ENVOY_FLAGS) : undefined;
    const forBoth = (bootstrapFile ?? grpcFile) === undefined ? said(SEAT_FLAGS) : undefined;
    if ((forEnvoy ?? forBoth) !== undefined)
      throw new FlagError(
        forBoth === undefined
          ? `--${forEnvoy} is for an Envoy${forEnvoy === 'upstream' && grpcFile !== undefined ? '; a gRPC program asks for xds:///NAME.NAMESPACE:PORT' : ''}`
          : `--${forBoth} is for an Envoy or a gRPC program; the agent itself takes no calls`,
        `add --envoy-bootstrap FILE${forBoth === undefined ? '' : ' or --grpc-bootstrap FILE'}`,
      );
    const workload = await sidecarOptions({ ...UNSET, ...options });
    const { name, namespace, labels } = workload;
    const [program, ...args] = rest;
    if (program !== undefined) findProgram(program, io.cwd, io.env['PATH']);
    const admin = options.admin === undefined ? undefined : parseHostPort('admin', options.admin);
    const envoyAdmin =
      options['envoy-admin'] === undefined ? undefined : parseHostPort('envoy-admin', options['envoy-admin']);
    if (admin !== undefined && !/^(?:127\.\d+\.\d+\.\d+|::1)$/.test(admin.host))
      throw new FlagError(`--admin ${options.admin} is no loopback address`, 'e.g. --admin 127.0.0.1:15020');
    const mesh = await meshToJoin(io, options);
    const interrupted = interruption('interrupted before it served');
    const say = (text: string): void => {
      if (!options.quiet) io.err(`tulle: ${text}\n`);
    };
    let agent: Agent;
    let seat: EnvoySeat | undefined;
    let relay: XdsRelay | undefined;
    let tunnel: XdsTunnel | undefined;
    const log = personLog(io, options.quiet ? 'error' : 'warn');
    const envoyAt = (runDir: string): Address => envoyAdmin ?? { path: join(runDir, 'envoy.sock') };
    try {
      agent = await startInstance(
        { directories: tulleDirectories(io.env), base: `${namespace}.${name}.agent`, many: false },
        {
          name,
          namespace,
          labels,
          controlPlane: mesh,
          joinToken: async () => joinTokenFor(io, options, { namespace, serviceAccount: name, labels }),
          startTimeoutMs: (options['start-timeout'] ?? 30) * 1000,
          socket: options.socket === undefined ? undefined : resolve(io.cwd, options.socket),
          admin,
          files: grpcFile !== undefined,
          signal: interrupted.signal,
          log,
          onProgress: progressTo(say, name),
        },
        startAgent,
      ).catch(explainStart);
      say(
        `${agent.spiffeId} joined; SDS and Workload API unix:${agent.socket}, admin ${formatAddress(agent.admin)}`,
      );
      if (grpcFile !== undefined)
        try {
          tunnel = await openGrpcSeat({ agent, file: resolve(io.cwd, grpcFile), workload, ...mesh, log });
        } catch (error) {
          await agent.stop();
          throw error;
        }
      if (bootstrapFile !== undefined)
        try {
          // An Envoy of ours can be taken out of the mesh before it ends; another must not lose its way with us.
          if (program !== undefined)
            relay = await serveXdsRelay(join(agent.runDir, 'xds.sock'), mesh.xds.map(splitAddress));
          seat = await writeEnvoyBootstrap({
            agent,
            file: resolve(io.cwd, bootstrapFile),
            workload,
            ...mesh,
            xdsRelay: relay?.path,
            accessLogFile:
              options['access-log'] === undefined ? undefined : logFile(io.cwd, options['access-log']),
            admin: envoyAt(agent.runDir),
          });
        } catch (error) {
          await relay?.close();
          await agent.stop();
          throw error;
        }
    } finally {
      interrupted.done();
    }
    if (tunnel !== undefined) say(`wrote ${grpcFile}: the control plane by unix:${tunnel.path}`);
    if (seat !== undefined)
      say(
        `wrote ${bootstrapFile}: ${[
          ...(seat.inbound === undefined ? [] : [`inbound ${seat.inbound}`]),
          ...seat.upstreams.map(({ service, address }) => `${service} at ${address}`),
          `Envoy's admin ${seat.admin}`,
        ].join(', ')}`,
      );
    try {
      if (program === undefined) {
        await untilSignal();
        return EXIT.ok;
      }
      const { TULLE_TOKEN: _secret, ...env } = io.env; // a join token is not the program's business
      return await runProgram({
        command: program,
        args,
        env: {
          ...env,
          SPIFFE_ENDPOINT_SOCKET: `unix://${agent.socket}`,
          ...(grpcFile === undefined ? {} : { GRPC_XDS_BOOTSTRAP: resolve(io.cwd, grpcFile) }),
        },
        terminal: process.stdin.isTTY === true,
        leave: async () => {
          if (relay === undefined) return;
          relay.cut();
          await untilEnvoyQuiet(envoyAt(agent.runDir), (options['leave-seconds'] ?? 2) * 1000);
        },
      });
    } finally {
      await relay?.close();
      await tunnel?.close();
      await agent.stop();
    }
  },
});

/** Flags that an Envoy alone has a use for. */
const ENVOY_FLAGS = ['upstream', 'envoy-admin', 'access-log', 'otlp-endpoint', 'trace-ratio'] as const;
/** Flags of whatever takes the mesh's calls. */
const SEAT_FLAGS = ['port', 'inbound', 'advertise', 'locality'] as const;
type SeatFlag = (typeof ENVOY_FLAGS)[number] | (typeof SEAT_FLAGS)[number];

/** `-` as everywhere. */
const logFile = (cwd: string, file: string): string => (file === '-' ? '/dev/stdout' : resolve(cwd, file));

/** Flags of a sidecar that an agent does not have. */
const UNSET: SidecarFlagValues = Object.fromEntries(
  Object.entries(SIDECAR_FLAGS).map(([name, { type }]) => [
    name,
    type === 'boolean' ? false : type === 'list' ? [] : undefined,
  ]),
) as unknown as SidecarFlagValues;

async function untilSignal(): Promise<void> {
  await new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
}
