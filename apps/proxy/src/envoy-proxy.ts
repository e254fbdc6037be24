import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isTulleError, type Log } from '@tulle/filter';
import { formatAddress, isUnixAddress, type Address, type Discover, type ProxyConfig } from '@tulle/model';
import { readResourceFile, serverFor, type Translation } from '@tulle/envoy-bootstrap';
import {
  canBindSockets,
  createInProcessSupervisor,
  createSupervisor,
  serveAdminFront,
  type Supervisor,
} from '@tulle/supervisor';
import {
  createXdsClient,
  serveClientStatus,
  type ApplyResult,
  type XdsClient,
  type XdsClientState,
} from '@tulle/xds-client';
import { askFront } from './admin/ask-front.ts';
import { type AdminServer, serveAdmin } from './admin/serve-admin.ts';
import type { ServerState } from './admin/admin-host.ts';
import { channelTo, plainServer, serverAt, targetsOf } from './ads-channel.ts';
import type { EngineSettings } from './engine.ts';
import { BootstrapError, loadBootstrap, type LoadedBootstrap } from './load-bootstrap.ts';
import { openLog } from './log-file.ts';
import {
  asksForMore,
  discoveredOnly,
  type FixedNames,
  fixedNames,
  isDiscovered,
  mergeConfig,
  NOTHING_FIXED,
  startConfig,
  waitingResources,
} from './merge-config.ts';
import type { EnvoyProxyOptions } from './options.ts';
import { overloadFor } from './overload-share.ts';
import { takeRunDirectory } from './run-directory.ts';

/** A running proxy. */
export interface EnvoyProxy {
  /** Where the admin interface is; absent: there is none. */
  readonly admin: Address | undefined;
  readonly baseId: number;
  /** Where it listens now. */
  listening(): readonly Address[];
  /** Of the management server; `undefined` where everything is static. */
  discovery(): XdsClientState | undefined;
  /**
   * Reads the bootstrap again and takes its static resources into use; what says who the proxy is, its admin interface and its
   * management servers stay as they were.
   * @throws BootstrapError with every reason; what was in use stays
   */
  reload(): Promise<void>;
  /** Replaces the engine processes; no connection is refused meanwhile. */
  restart(): Promise<void>;
  /** Opens the files of the proxy's log and of access logs anew, after they were moved away. @throws Error where one cannot be had */
  reopenLogs(): Promise<void>;
  /** Lets what runs end, at most for `drainMs` (default 10,000), then closes everything. */
  stop(drainMs?: number): Promise<void>;
  /** Resolves when somebody asked for its end by `POST /quitquitquit`. */
  readonly quit: Promise<void>;
}

const DEFAULT_DRAIN_MS = 600_000;
const DEFAULT_PARENT_SHUTDOWN_MS = 900_000;
/** Envoy `initial_fetch_timeout`. */
const DEFAULT_FETCH_TIMEOUT_MS = 15_000;
/** In the run directory while health checks fail by hand. */
const FAIL_FILE = 'fail-health-checks';
const DEFAULT_STOP_DRAIN_MS = 10_000;
/** Over so long connections are asked to close where a process ends; a longer window is for draining by hand. */
const END_WINDOW_MS = 5_000;

/**
 * Starts a proxy from an Envoy bootstrap. Resolves when its static listeners serve; discovered ones follow.
 * @throws BootstrapError naming everything that keeps the bootstrap from being used; Error when an address or file cannot be had.
 *   Nothing is left running then
 */
export async function startEnvoyProxy(options: EnvoyProxyOptions): Promise<EnvoyProxy> {
  let loaded = loadBootstrap(options);
  const { translation } = loaded;
  const workers = options.workers ?? 1;
  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const files = openLog(options.logPath, options.logLevel ?? 'info');
    undo.push(() => files.close());
    const log = options.log ?? files.log;
    const say = options.say ?? ((line: string): void => log.info(line));
    for (const line of [...loaded.notes, ...loaded.findings]) say(line);
    const directory = await takeRunDirectory(options.runDir, options.baseId, options.baseIdPath);
    undo.push(() => directory.release());
    let xds: XdsClient | undefined;
    const discover: Discover = async (demand) => xds?.discover(demand);
    const supervisor = makeSupervisor(options, loaded, directory.path, workers, log, files.engines, discover);
    undo.push(async () => supervisor.stop(0));

    let state: ServerState = 'PRE_INITIALIZING';
    let failedByHand = false;
    const failFile = join(directory.path, FAIL_FILE);
    rmSync(failFile, { force: true }); // of an earlier run
    const quit = Promise.withResolvers<void>();
    const front = { path: join(directory.path, 'front.sock') };
    const startedMs = Date.now();
    /** What discovery made of everything, static resources included; `undefined` before the first. */
    let whole: ProxyConfig | undefined;
    const reopenLogs = async (): Promise<void> => {
      files.reopen();
      const { status, body } = await askFront(front.path, '/reopen_logs', 'POST');
      if (status !== 200) throw new Error(`access logs are not open anew: ${body.trim()}`);
    };
    const failHealthCheck = async (fail: boolean): Promise<void> => {
      // A process that starts later looks for the file.
      if (fail) writeFileSync(failFile, '');
      else rmSync(failFile, { force: true });
      failedByHand = fail;
      const { status, body } = await askFront(front.path, `/healthcheck/${fail ? 'fail' : 'ok'}`, 'POST');
      if (status !== 200) throw new Error(`health checks: ${body.trim()}`);
    };
    let admin: AdminServer | undefined;
    if (translation.admin !== undefined) {
      admin = await serveAdmin({
        address: translation.admin,
        open: options.adminOpen ?? false,
        log,
        host: {
          front: front.path,
          startedMs,
          baseId: directory.baseId,
          options: { ...options, workers },
          node: translation.node,
          bootstrap: () => loaded.text.bootstrap,
          fixed: () => loaded.translation.config,
          discovered: () => discoveredOnly(whole, loaded.translation.config),
          inUse: () => whole,
          discovery: () => xds?.state(),
          state: () => (failedByHand && state === 'LIVE' ? 'DRAINING' : state),
          failHealthCheck,
          draining: () => void (state = 'DRAINING'),
          setLogLevel: (level) => void (files.log.level = level),
          reopenLogs,
          quit: () => quit.resolve(),
        },
      });
      undo.push(async () => admin?.close());
      if (options.adminAddressPath !== undefined)
        writeFileSync(options.adminAddressPath, adminText(admin.address));
    }
    await supervisor.start(startConfig(translation)).catch((error: unknown) => refused(error, loaded));
    const adminFront = await serveAdminFront({ supervisor, address: front });
    undo.push(async () => adminFront.close());

    /** One configuration at a time, from whichever side it comes. */
    let queue: Promise<unknown> = Promise.resolve();
    const applyNow = async (
      fixed: Translation,
      discovered: ProxyConfig | undefined,
      names: FixedNames = NOTHING_FIXED,
    ): Promise<ApplyResult> => {
      try {
        await supervisor.apply(mergeConfig(fixed, discovered, names));
        return { ok: true };
      } catch (error) {
        return { ok: false, issues: issuesOf(error) };
      }
    };
    const inTurn = async <T>(step: () => Promise<T>): Promise<T> => {
      const done = queue.then(step);
      queue = done.catch(() => {});
      return done;
    };

    const { discovery } = translation;
    if (discovery !== undefined) {
      state = 'INITIALIZING';
      const fetchMs = discovery.initialFetchTimeoutMs ?? DEFAULT_FETCH_TIMEOUT_MS;
      const { ads } = discovery;
      const names = fixedNames(discovery);
      const client = createXdsClient({
        targets: ads === undefined ? [] : targetsOf(ads),
        channel: () => channelTo(ads as NonNullable<typeof ads>), // asked for where there are targets
        node: translation.node,
        ...(ads && { api: ads.api }),
        sources: {
          roots: discovery.roots,
          fixed: discovery.fixed,
          server(name) {
            if ('target' in name) return plainServer(name.target);
            const server = serverFor(discovery, name);
            return server && serverAt(server);
          },
          parseFile: readResourceFile,
        },
        ...(fetchMs > 0 && { initialFetchTimeoutMs: fetchMs }),
        decode: {
          authorities: discovery.authorities,
          ...(discovery.tracer && { tracer: discovery.tracer }),
          ...(loaded.translation.ejectionLog !== undefined && {
            ejectionLog: loaded.translation.ejectionLog,
          }),
          allowUnknownFields: options.ignoreUnknownDynamicFields ?? false,
          ...(options.tolerateFields && { tolerateFields: options.tolerateFields }),
        },
        log,
        onConfig: async (config) =>
          inTurn(async () => {
            const result = await applyNow(loaded.translation, config, names);
            if (!result.ok) return result;
            whole = config;
            if (isDiscovered(config, names) || !asksForMore(discovery)) live();
            return result;
          }),
      });
      const live = (): void => void (state === 'INITIALIZING' && (state = 'LIVE'));
      xds = client;
      undo.push(async () => client.stop());
      if (options.clientStatusAddress !== undefined) {
        const served = await serveClientStatus(options.clientStatusAddress, () => client.clientStatus());
        undo.push(async () => served.close());
        say(`client status (CSDS) at ${served.address}`);
      }
      await client.start();
      // Files are here in a moment, and whoever starts a proxy expects that it listens then.
      if (!asksForMore(discovery)) await untilWarm(client);
      if (fetchMs > 0) {
        const timer = setTimeout(live, fetchMs).unref();
        undo.push(() => clearTimeout(timer));
      }
    } else state = 'LIVE';

    const reload = async (): Promise<void> =>
      inTurn(async () => {
        const next = loadBootstrap(options);
        refuseOtherNeeds(loaded, next);
        const result = await applyNow(next.translation, whole, discovery && fixedNames(discovery));
        if (!result.ok)
          throw new BootstrapError(
            result.issues.map(({ path, message }) => next.translation.locate(path, message)),
          );
        loaded = next;
      });

    let stopping: Promise<void> | undefined;
    return {
      admin: admin?.address,
      baseId: directory.baseId,
      listening: () => supervisor.status().listeners,
      discovery: () => xds?.state(),
      reload,
      restart: async () => supervisor.restart(),
      reopenLogs,
      quit: quit.promise,
      stop: async (drainMs = DEFAULT_STOP_DRAIN_MS) =>
        (stopping ??= (async () => {
          state = 'DRAINING';
          await xds?.stop();
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
  options: EnvoyProxyOptions,
  { translation }: LoadedBootstrap,
  runDir: string,
  workers: number,
  log: Log,
  engines: ((text: string) => void) | undefined,
  discover: Discover,
): Supervisor {
  const { node, overload, zone, internalBufferBytes } = translation;
  const settings: EngineSettings = {
    workload: node.cluster === '' || node.cluster === undefined ? 'envoy' : node.cluster,
    ...(overload && { overload: overloadFor(overload, workers) }),
    ...(zone && { zone }),
    ...(internalBufferBytes !== undefined && { internalBufferBytes }),
    failFile: join(runDir, FAIL_FILE),
    drainWindowMs: Math.min(options.drainTimeMs ?? END_WINDOW_MS, DEFAULT_DRAIN_MS),
  };
  const common = { settings, runDir, log, discover };
  if (options.supervisor === false || !canBindSockets()) {
    if (workers !== 1) throw new Error('several engine processes need the supervisor; set --concurrency 1');
    return createInProcessSupervisor({
      ...common,
      createEngine: async (context) => (await import('./engine.ts')).createEnvoyEngine(context),
    });
  }
  return createSupervisor({
    ...common,
    module: new URL(import.meta.resolve('@tulle/envoy-proxy/engine-main')),
    workers,
    drainTimeoutMs: options.parentShutdownTimeMs ?? DEFAULT_PARENT_SHUTDOWN_MS,
    ...(options.logLevel && { engineLogLevel: options.logLevel }),
    ...(engines && { stderr: engines }),
  });
}

function issuesOf(error: unknown): readonly { readonly path: string; readonly message: string }[] {
  if (isTulleError(error) && error.issues.length > 0) return error.issues;
  return [{ path: '', message: error instanceof Error ? error.message : String(error) }];
}

/** Resolves when nothing static waits any more, at most after two seconds. */
async function untilWarm(client: XdsClient): Promise<void> {
  const deadlineMs = performance.now() + 2_000;
  do await new Promise((resolve) => setTimeout(resolve, 25));
  while (performance.now() < deadlineMs && (client.state().warming.length > 0 || client.state().applying));
}

/**
 * Discovery asks for what static resources named at the start.
 * @throws BootstrapError where they name something else now
 */
function refuseOtherNeeds(before: LoadedBootstrap, next: LoadedBootstrap): void {
  const [old, now] = [waitingResources(before.translation), waitingResources(next.translation)];
  const changed = [...now].filter(([key, text]) => old.get(key) !== text).map(([key]) => key);
  const gone = [...old.keys()].filter((key) => !now.has(key));
  const [first] = [...changed, ...gone];
  if (first !== undefined)
    throw new BootstrapError([
      {
        path: 'static_resources',
        message: `changes what names something to be discovered (${first}), which is taken at the start alone; start the proxy again`,
      },
    ]);
}

/** @throws BootstrapError where the engine has something against the configuration; else what it was */
function refused(error: unknown, { translation }: LoadedBootstrap): never {
  if (!isTulleError(error) || error.issues.length === 0 || error.message.startsWith('cannot listen on '))
    throw error;
  throw new BootstrapError(error.issues.map(({ path, message }) => translation.locate(path, message)));
}

const adminText = (address: Address): string =>
  isUnixAddress(address) ? address.path : formatAddress(address);
