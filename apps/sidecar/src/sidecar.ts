import { hostname } from 'node:os';
import { join } from 'node:path';
import { connectionQueues } from '@tulle/intercept';
import { lockDirectory } from '@tulle/directory-lock';
import { meshChannel, observeIdentity, type IdentityClient } from '@tulle/ca';
import { isTulleError } from '@tulle/filter';
import { formatAddress, type Address, type ProxyConfig, type TcpAddress } from '@tulle/model';
import { createRegistry, renderText, type Registry, type TextFormat } from '@tulle/metrics';
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
import {
  createXdsClient,
  type ApplyResult,
  type NodeDescription,
  type XdsClient,
  type XdsClientState,
} from '@tulle/xds-client';
import { makePrivateDirectory } from './directories.ts';
import type { EngineSettings } from './engine.ts';
import { CAPABILITIES, filtersOf } from './capabilities.ts';
import { bindPorts, portTaken } from './bound-ports.ts';
import { ProgramCapture, type CaptureStatus } from './capture/program-capture.ts';
import { openIdentity } from './identity.ts';
import { announce, instanceSuffix, withdraw } from './instance-file.ts';
import { PlaintextTotals, watchPlaintext } from './plaintext-report.ts';
import { DEFAULT_CLUSTER, type SidecarOptions } from './options.ts';
import { programAccepts } from './program-ports.ts';
import { DRAIN } from './drain.ts';
import { describeProgress, type SidecarProgress } from './progress.ts';
import { untilQuiet } from './quiet.ts';
import { observeSupervisor } from './supervisor-metrics.ts';

/** A running sidecar. */
export interface Sidecar {
  readonly spiffeId: string;
  /** Where other sidecars reach it. */
  readonly inbound: TcpAddress;
  /** Where the program finds what it calls. */
  readonly upstreams: readonly { readonly service: string; readonly address: TcpAddress }[];
  readonly admin: Address;
  /** How connections are captured; `undefined`: they are not. */
  readonly capture: CaptureStatus | undefined;
  /**
   * Resolves when the first configuration is in force, from the control plane or from disk.
   * @throws PortTakenError when another process listens on one of its ports by then
   */
  ready(): Promise<void>;
  /** Resolves when the program accepts and the mesh is told; at once for one without ports. */
  serving(): Promise<void>;
  /**
   * The program is about to end: tells the mesh that it takes no new calls, and waits until none is under way for a quarter
   * of a second, at most `limitMs` (default 2,000). Calls that come meanwhile are served; the program may call others.
   */
  leave(limitMs?: number): Promise<void>;
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
  /** It takes calls: the program accepts. */
  readonly serving: boolean;
  readonly spiffeId: string;
  readonly identity: { readonly serial: string; readonly notAfterMs: number } | undefined;
  readonly xds: XdsClientState | undefined;
  readonly supervisor: SupervisorStatus;
  readonly capture: CaptureStatus | undefined;
}

const DEFAULT_STOP_DRAIN_MS = 10_000;
/** Callers are told within milliseconds; a call that takes longer than this ends while the program shuts down. */
const DEFAULT_LEAVE_MS = 2_000;

/**
 * Starts a sidecar: binds its ports, obtains an identity, starts the engine, follows the control plane. Resolves when
 * the engine runs; await {@link Sidecar.ready} for the first configuration. With a saved identity and configuration it
 * serves while the control plane is away. It is an endpoint of the mesh once the program accepts.
 * @throws DirectoryInUseError (`@tulle/directory-lock`) naming the process that uses one of the directories, before anything
 *   in them is touched; Error naming the port that is taken; JoinRefusedError (`@tulle/ca`) when the CA refuses the token;
 *   NoIdentityError when it could not be reached in time; the engine's own error when it cannot start; the reason of
 *   `signal`. Nothing is left running then
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const log = options.log ?? stderrLog;
  const namespace = options.namespace ?? 'default';
  const serviceAccount = options.serviceAccount ?? options.name;
  const labels = options.labels ?? { app: options.name };
  const { capabilities = CAPABILITIES } = options;
  const { controlPlane, stateDir, runDir } = options;
  const tell =
    options.onProgress ??
    ((progress: SidecarProgress): void =>
      log[progress.kind === 'serving' ? 'info' : 'warn'](describeProgress(progress), { ...progress }));
  makePrivateDirectory(stateDir);
  makePrivateDirectory(runDir);

  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  const meter = createRegistry();
  const orAborted = abortable(options.signal);
  try {
    for (const directory of new Set([stateDir, runDir])) {
      const lock = await lockDirectory(directory);
      undo.push(() => lock.release());
    }
    // Before there is a socket of ours that the rules must spare.
    const capture =
      options.capture && (await ProgramCapture.prepare(options.capture, options.name, namespace));
    undo.push(async () => capture?.end());
    const instance = options.instance ?? (await defaultInstance(options));
    // Made after the identity, which asks it whether its processes use what is new.
    const engines: { supervisor?: Supervisor } = {};
    const { identity, ready } = await openIdentity(
      { ...options, instance },
      { namespace, serviceAccount },
      log,
      meter,
      async () => engines.supervisor?.identityInUse(),
      tell,
    );
    undo.push(() => identity.close());
    observeIdentity(meter, identity);
    const supervisor = await makeSupervisor(options, namespace, labels, identity, log);
    engines.supervisor = supervisor;
    observeSupervisor(meter, supervisor);
    undo.push(async () => supervisor.stop(0));
    const bound = await bindPorts(options, supervisor, capture && connectionQueues());
    const { inbound, ports, upstreams } = bound;
    // From here on nothing that the program begins goes past the sidecar; what comes before the configuration waits.
    await capture?.begin({
      outbound: bound.captured,
      inbound: ports.map(({ port, inboundPort }) => ({ port, to: inboundPort })),
      inboundRest: bound.capturedInbound as TcpAddress,
    });
    const taken = Promise.withResolvers<never>();
    taken.promise.catch(() => {}); // whoever awaits `ready` hears of it
    await orAborted(ready());
    await orAborted(supervisor.start());

    const plaintext = watchPlaintext(supervisor, new PlaintextTotals(ports), () =>
      xds.describe(node(serving)),
    );
    undo.push(() => plaintext.stop());
    const advertise =
      options.advertise ?? (options.inbound === undefined && capture ? { host: '127.0.0.1' } : undefined);
    const node = (ready: boolean): NodeDescription => ({
      id: `${identity.spiffeId}~${instance}`,
      cluster: options.name,
      ...(options.locality === undefined ? {} : { locality: options.locality }),
      metadata: {
        workload: options.name,
        namespace,
        serviceAccount,
        labels,
        ports,
        instance,
        ready,
        CLUSTER_ID: options.cluster ?? DEFAULT_CLUSTER,
        capabilities,
        ...(capabilities.includes('retries') ? {} : { retries: 'asked' }),
        inbound: { address: inbound.host, port: inbound.port },
        ...(advertise === undefined ? {} : { advertise: { address: advertise.host, port: advertise.port } }),
        upstreams: upstreams.map(({ option, address }) => ({
          service: option.service,
          ...(option.servicePort === undefined ? {} : { servicePort: option.servicePort }),
          localPort: address.port,
          address: address.host,
        })),
        ...(options.capture === undefined
          ? {}
          : {
              capture: {
                outbound: bound.captured.map(({ host, port }) => ({ address: host, port })),
                ...(bound.capturedInbound && {
                  inbound: { address: bound.capturedInbound.host, port: bound.capturedInbound.port },
                }),
                ...(options.capture.egress === undefined ? {} : { egress: options.capture.egress }),
                ...(options.capture.reachable === undefined ? {} : { reachable: options.capture.reachable }),
              },
            }),
        ...options.role?.metadata(bound.role),
        ...(options.filters === undefined ? {} : { filterPhases: options.filters.phases }),
        ...(plaintext.report() === undefined ? {} : { plaintext: plaintext.report() }),
      },
      extensions: [
        ...filtersOf(capabilities).map((id) => `${id}@0.0.0`), // what ships has no version of its own
        ...(options.filters?.extensions ?? []),
      ],
    });
    const numbers = ports.map(({ port }) => port);
    let serving = numbers.length === 0 || options.readiness === 'immediate';
    const xds: XdsClient = createXdsClient({
      targets: controlPlane.xds,
      channel: () => meshChannel(controlPlane.trustDomain, { identity }),
      node: node(serving),
      onConfig: async (config) => {
        const result = await applyTo(supervisor, config);
        if (result.ok) {
          plaintext.configured(config);
          capture?.configured(config);
        }
        const error = await portTaken(result, bound);
        if (error !== undefined) taken.reject(error);
        return result;
      },
      snapshotFile: join(stateDir, 'snapshot.json'),
      log,
      meter,
    });
    undo.push(async () => xds.stop());
    const status = (): SidecarStatus => {
      const svid = identity.current()?.svid;
      return {
        serving,
        spiffeId: identity.spiffeId,
        identity: svid === undefined ? undefined : { serial: svid.serial, notAfterMs: svid.notAfterMs },
        xds: xds.state(),
        supervisor: supervisor.status(),
        capture: capture?.status(),
      };
    };
    const front: AdminFront = await serveAdminFront({
      supervisor,
      address: options.admin ?? { path: join(runDir, 'admin.sock') },
      pages: { '/sidecar': status },
      metrics: (format) => sidecarMetrics(meter, format),
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
    await orAborted(xds.start());
    const unfollow = options.role?.follow(() => xds.describe(node(serving)));
    if (unfollow !== undefined) undo.push(unfollow);
    const stopLooking = new AbortController();
    undo.push(() => stopLooking.abort());
    const accepting = serving
      ? Promise.resolve()
      : (options.programStarts ?? Promise.resolve())
          .then(async () =>
            programAccepts(numbers, stopLooking.signal, (missing, waitedMs) =>
              tell({ kind: 'waiting-for-program', ports: missing, waitedMs }),
            ),
          )
          .then((accepts) => {
            if (!accepts) return;
            serving = true;
            xds.describe(node(true));
            tell({ kind: 'serving', ports: numbers });
          });

    let stopping: Promise<void> | undefined;
    return {
      spiffeId: identity.spiffeId,
      inbound,
      upstreams: found,
      admin: front.address,
      get capture() {
        return capture?.status();
      },
      ready: async () => Promise.race([xds.configured(), taken.promise]),
      serving: async () => accepting,
      async leave(limitMs = DEFAULT_LEAVE_MS) {
        stopLooking.abort();
        const wasServing = serving && numbers.length > 0;
        serving = false;
        if (!wasServing) return;
        xds.describe(node(false));
        await untilQuiet(supervisor, limitMs);
      },
      status,
      restart: async () => supervisor.restart(),
      stop: async (drainMs = DEFAULT_STOP_DRAIN_MS) =>
        (stopping ??= (async () => {
          stopLooking.abort();
          // First out of the mesh, so that nobody sends new work here while the rest ends.
          await xds.stop();
          await supervisor.stop(drainMs);
          await unwind();
        })()),
    };
  } catch (error) {
    await unwind();
    throw error;
  } finally {
    orAborted.done();
  }
}

/** Waits for a step of the start, unless it is given up. */
function abortable(
  signal: AbortSignal | undefined,
): (<T>(step: Promise<T>) => Promise<T>) & { done(): void } {
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = (): void => aborted.reject(signal?.reason);
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort);
  const or = async <T>(step: Promise<T>): Promise<T> => Promise.race([step, aborted.promise]);
  return Object.assign(or, { done: () => signal?.removeEventListener('abort', abort) });
}

async function makeSupervisor(
  options: SidecarOptions,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  identity: IdentityClient,
  log: NonNullable<SidecarOptions['log']>,
): Promise<Supervisor> {
  const settings: EngineSettings = {
    workload: options.name,
    namespace,
    version: labels['version'],
    app: labels['app'],
    principal: identity.spiffeId,
    cluster: options.cluster ?? DEFAULT_CLUSTER,
    ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
    accessLog: options.accessLog,
    ...(options.overload === undefined ? {} : { overload: options.overload }),
    telemetry: options.telemetry ?? {},
    filters: options.filters,
    drainWindowMs: (options.drain ?? DRAIN).windowMs,
  };
  const drainTimeoutMs = (options.drain ?? DRAIN).deadlineMs;
  const common = { settings, identity, runDir: options.runDir, log, drainTimeoutMs };
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
    // A supervisor of processes has no use for the data plane itself.
    const { createSidecarEngine } = await import('./engine.ts');
    return createInProcessSupervisor({ ...common, createEngine: createSidecarEngine });
  }
  return createSupervisor({
    ...common,
    module: new URL(import.meta.resolve('@tulle/sidecar/engine-main')),
    workers: options.workers ?? 1,
    stateDir: options.stateDir,
    ...(options.engineLogLevel === undefined ? {} : { engineLogLevel: options.engineLogLevel }),
  });
}

async function applyTo(supervisor: Supervisor, config: ProxyConfig): Promise<ApplyResult> {
  try {
    await supervisor.apply(config);
    return { ok: true };
  } catch (error) {
    const issues = isTulleError(error) ? error.issues : [];
    const message = error instanceof Error ? error.message : String(error);
    // A socket that cannot be had is one listener's fault: the others are served.
    const at = config.listeners.findIndex(({ address }) =>
      message.startsWith(`cannot listen on ${formatAddress(address)}: `),
    );
    return {
      ok: false,
      issues: issues.length > 0 ? issues : [{ path: at < 0 ? '' : `/listeners/${at}`, message }],
    };
  }
}

async function defaultInstance(options: SidecarOptions): Promise<string> {
  const port = options.ports[0]?.port;
  return [
    options.name,
    hostname().replace(/[^a-zA-Z0-9.-]/g, '-'),
    ...(port === undefined ? [] : [String(port)]),
    await instanceSuffix(options.stateDir),
  ].join('-');
}

/** For messages: `reviews → 127.0.0.1:9001`. */
export function describeUpstream(upstream: Sidecar['upstreams'][number]): string {
  return `${upstream.service} → ${formatAddress(upstream.address)}`;
}

/** What identity and xDS measure, to stand beside what the engine processes do; each of those has its own registry's. */
function sidecarMetrics(registry: Registry, format: TextFormat): string {
  const families = [...registry.families].filter(([name]) => !name.startsWith('tulle_telemetry_'));
  return [...renderText({ families: new Map(families) }, format)].join('');
}
