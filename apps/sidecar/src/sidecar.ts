import { hostname } from 'node:os';
import { join } from 'node:path';
import { createIdentityClient, meshChannel, type IdentityClient } from '@tulle/ca';
import { isTulleError } from '@tulle/filter';
import { formatAddress, type Address, type ProxyConfig, type TcpAddress } from '@tulle/model';
import { standardFilters } from '@tulle/standard';
import {
  canBindSockets,
  createInProcessSupervisor,
  createSupervisor,
  serveAdminFront,
  stderrLog,
  type AdminFront,
  type Supervisor,
  type SupervisorStatus,
} from '@tulle/supervisor';
import { createXdsClient, type ApplyResult, type XdsClient, type XdsClientState } from '@tulle/xds-client';
import { makePrivateDirectory } from './directories.ts';
import { createSidecarEngine, type EngineSettings } from './engine.ts';
import { announce, loadPorts, savePorts, withdraw } from './instance-file.ts';
import type { SidecarOptions, UpstreamOption, WorkloadPortOption } from './options.ts';

/** A running sidecar. */
export interface Sidecar {
  readonly spiffeId: string;
  /** Where other sidecars reach it. */
  readonly inbound: TcpAddress;
  /** Where the program finds what it calls. */
  readonly upstreams: readonly { readonly service: string; readonly address: TcpAddress }[];
  readonly admin: Address;
  /** Resolves when the first configuration is in force, from the control plane or from disk. */
  ready(): Promise<void>;
  status(): SidecarStatus;
  /** Replaces the engine processes; no connection is refused meanwhile. */
  restart(): Promise<void>;
  /**
   * Leaves the mesh, lets what runs end, at most for `drainMs` (default 10,000), then closes everything.
   */
  stop(drainMs?: number): Promise<void>;
}

/** Where a sidecar stands. */
export interface SidecarStatus {
  readonly spiffeId: string;
  readonly identity: { readonly serial: string; readonly notAfterMs: number } | undefined;
  readonly xds: XdsClientState | undefined;
  readonly supervisor: SupervisorStatus;
}

const DEFAULT_STOP_DRAIN_MS = 10_000;

/**
 * Starts a sidecar: binds its ports, obtains an identity, starts the engine, follows the control plane. Resolves when
 * the engine runs; await {@link Sidecar.ready} for the first configuration. With a saved identity and configuration it
 * serves while the control plane is away.
 * @throws Error naming the port that is taken; JoinRefusedError (`@tulle/ca`) when the CA refuses the token;
 *   the engine's own error when it cannot start. Nothing is left running then
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const log = options.log ?? stderrLog;
  const namespace = options.namespace ?? 'default';
  const serviceAccount = options.serviceAccount ?? options.name;
  const labels = options.labels ?? { app: options.name };
  const { controlPlane, stateDir, runDir } = options;
  makePrivateDirectory(stateDir);
  makePrivateDirectory(runDir);

  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const joinToken = typeof options.joinToken === 'function' ? await options.joinToken() : options.joinToken;
    const identity = await createIdentityClient({
      address: controlPlane.ca ?? (controlPlane.xds[0] as string),
      trustDomain: controlPlane.trustDomain,
      namespace,
      serviceAccount,
      stateDir: join(stateDir, 'identity'),
      ...(joinToken === undefined ? {} : { joinToken }),
      onEvent: (event) => {
        if (event.kind === 'renewal-failed' || event.kind === 'save-failed' || event.kind === 'watch-ended')
          log.warn(`identity: ${event.kind}`, { error: event.error.message });
        else if (event.kind === 'lapsed')
          log.error('the identity has lapsed; handshakes fail until the CA can be reached');
        else if (event.kind === 'saved-unusable')
          log.warn('the saved identity cannot be used', { reason: event.reason });
      },
    });
    undo.push(() => identity.close());
    const supervisor = makeSupervisor(options, namespace, labels, identity, log);
    undo.push(async () => supervisor.stop(0));
    const { inbound, ports, upstreams } = await bindPorts(options, supervisor);
    await identity.ready();
    await supervisor.start();

    const instance = options.instance ?? defaultInstance(options);
    const xds: XdsClient = createXdsClient({
      targets: controlPlane.xds,
      channel: () => meshChannel(controlPlane.trustDomain, { identity }),
      node: {
        id: `${identity.spiffeId}~${instance}`,
        cluster: options.name,
        metadata: {
          workload: options.name,
          namespace,
          serviceAccount,
          labels,
          ports,
          instance,
          inbound: { address: inbound.host, port: inbound.port },
          upstreams: upstreams.map(({ option, address }) => ({
            service: option.service,
            ...(option.servicePort === undefined ? {} : { servicePort: option.servicePort }),
            localPort: address.port,
            address: address.host,
          })),
        },
        extensions: standardFilters.map(
          ({ definition }) => `${definition.id}@${definition.version ?? '0.0.0'}`,
        ),
      },
      onConfig: async (config) => applyTo(supervisor, config),
      snapshotFile: join(stateDir, 'snapshot.json'),
      log,
    });
    undo.push(async () => xds.stop());
    const status = (): SidecarStatus => {
      const svid = identity.current()?.svid;
      return {
        spiffeId: identity.spiffeId,
        identity: svid === undefined ? undefined : { serial: svid.serial, notAfterMs: svid.notAfterMs },
        xds: xds.state(),
        supervisor: supervisor.status(),
      };
    };
    const front: AdminFront = await serveAdminFront({
      supervisor,
      address: options.admin ?? { path: join(runDir, 'admin.sock') },
      pages: { '/sidecar': status },
    });
    undo.push(async () => front.close());
    const found = upstreams.map(({ option, address }) => ({ service: option.service, address }));
    await announce(runDir, {
      name: options.name,
      namespace,
      instance,
      spiffeId: identity.spiffeId,
      pid: process.pid,
      admin: front.address,
      inbound,
      upstreams: found,
      startedMs: Date.now(),
    });
    undo.push(async () => withdraw(runDir));
    await xds.start();

    let stopping: Promise<void> | undefined;
    return {
      spiffeId: identity.spiffeId,
      inbound,
      upstreams: found,
      admin: front.address,
      ready: async () => xds.configured(),
      status,
      restart: async () => supervisor.restart(),
      stop: async (drainMs = DEFAULT_STOP_DRAIN_MS) =>
        (stopping ??= (async () => {
          // First out of the mesh, so that nobody sends new work here while the rest ends.
          await xds.stop();
          await supervisor.stop(drainMs);
          await unwind();
        })()),
    };
  } catch (error) {
    await unwind();
    throw error;
  }
}

function makeSupervisor(
  options: SidecarOptions,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  identity: IdentityClient,
  log: NonNullable<SidecarOptions['log']>,
): Supervisor {
  const settings: EngineSettings = {
    workload: options.name,
    namespace,
    version: labels['version'],
    accessLog: options.accessLog,
    drainWindowMs: options.drainWindowMs ?? 5_000,
  };
  const common = { settings, identity, runDir: options.runDir, log };
  const alone = options.supervisor === false;
  if (alone || !canBindSockets()) {
    if ((options.workers ?? 1) !== 1)
      throw new Error(
        alone
          ? 'several workers need the supervisor; leave --no-supervisor out or set --workers 1'
          : `Node ${process.versions.node} cannot share sockets between processes; set --workers 1 or use Node 24`,
      );
    if (!alone)
      log.warn('this Node cannot hold sockets across restarts: everything runs in one process', {
        node: process.versions.node,
      });
    return createInProcessSupervisor({ ...common, createEngine: createSidecarEngine });
  }
  return createSupervisor({
    ...common,
    module: new URL(import.meta.resolve('@tulle/sidecar/engine-main')),
    workers: options.workers ?? 1,
    stateDir: options.stateDir,
  });
}

interface BoundPorts {
  /** Of the first port. */
  readonly inbound: TcpAddress;
  readonly ports: readonly (WorkloadPortOption & { readonly inboundPort: number })[];
  readonly upstreams: readonly { readonly option: UpstreamOption; readonly address: TcpAddress }[];
}

/** Binds before joining, so that the control plane is told the real numbers; each port of the program has a socket of its own. */
async function bindPorts(options: SidecarOptions, supervisor: Supervisor): Promise<BoundPorts> {
  const saved = await loadPorts(options.stateDir);
  const wanted = options.inbound ?? { host: '127.0.0.1', port: 0 };
  const ports: (WorkloadPortOption & { inboundPort: number })[] = [];
  for (const [i, port] of options.ports.entries()) {
    const bound = await bindAgain(
      supervisor,
      i === 0 ? wanted : { host: wanted.host, port: 0 },
      saved.inbound[String(port.port)],
    );
    ports.push({ ...port, inboundPort: bound.port });
  }
  const upstreams: { option: UpstreamOption; address: TcpAddress }[] = [];
  for (const option of options.upstreams ?? []) {
    const address = await bindAgain(
      supervisor,
      { host: option.address ?? '127.0.0.1', port: option.localPort },
      saved.upstreams[keyOf(option)],
    );
    upstreams.push({ option, address });
  }
  const inbound: TcpAddress = {
    host: wanted.host,
    port: ports[0]?.inboundPort ?? (await bindAgain(supervisor, wanted, saved.inbound['0'])).port,
  };
  await savePorts(options.stateDir, {
    inbound: Object.fromEntries(
      ports.length === 0 ? [['0', inbound.port]] : ports.map((port) => [String(port.port), port.inboundPort]),
    ),
    upstreams: Object.fromEntries(upstreams.map(({ option, address }) => [keyOf(option), address.port])),
  });
  return { inbound, ports, upstreams };
}

const keyOf = (option: UpstreamOption): string =>
  option.servicePort === undefined ? option.service : `${option.service}:${option.servicePort}`;

/** The port of last time where the choice is free; another one where somebody took it meanwhile. */
async function bindAgain(
  supervisor: Supervisor,
  wanted: TcpAddress,
  last: number | undefined,
): Promise<TcpAddress> {
  if (wanted.port === 0 && last !== undefined) {
    try {
      return (await supervisor.bind({ host: wanted.host, port: last })) as TcpAddress;
    } catch {
      // taken
    }
  }
  return (await supervisor.bind(wanted)) as TcpAddress;
}

async function applyTo(supervisor: Supervisor, config: ProxyConfig): Promise<ApplyResult> {
  try {
    await supervisor.apply(config);
    return { ok: true };
  } catch (error) {
    const issues = isTulleError(error) ? error.issues : [];
    return {
      ok: false,
      issues:
        issues.length > 0
          ? issues
          : [{ path: '', message: error instanceof Error ? error.message : String(error) }],
    };
  }
}

function defaultInstance(options: SidecarOptions): string {
  const port = options.ports[0]?.port;
  return [
    options.name,
    hostname().replace(/[^a-zA-Z0-9.-]/g, '-'),
    ...(port === undefined ? [] : [String(port)]),
  ].join('-');
}

/** For messages: `reviews → 127.0.0.1:9001`. */
export function describeUpstream(upstream: Sidecar['upstreams'][number]): string {
  return `${upstream.service} → ${formatAddress(upstream.address)}`;
}
