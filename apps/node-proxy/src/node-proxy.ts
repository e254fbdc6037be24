import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryInUseError, lockDirectory, type DirectoryLock } from '@tulle/directory-lock';
import type { Log } from '@tulle/filter';
import { missingForCapture, networkNamespaces } from '@tulle/intercept';
import { createRegistry, renderText } from '@tulle/metrics';
import type { Address, ProxyConfig } from '@tulle/model';
import { CaptureUnavailableError } from '@tulle/sidecar';
import { makePrivateDirectory } from '@tulle/sidecar/directories';
import { createSupervisor, serveAdminFront, stderrLog, type SupervisorStatus } from '@tulle/supervisor';
import type { ApplyResult } from '@tulle/xds-client';
import type { EngineSettings } from './engine.ts';
import { mergeConfigs, type WorkloadConfig } from './merge.ts';
import { applyToEngine } from './apply-to-engine.ts';
import { ServedWorkload, type WorkloadHost } from './served-workload.ts';
import { bindInside } from './sockets.ts';
import { ServedWorkloads } from './served-workloads.ts';
import type { NodeWorkload } from './workload.ts';
import { liftRules, type IfProxyDies } from './workload-rules.ts';
import { watchDirectory } from './workload-directory.ts';

/** How a node proxy is run. */
export interface NodeProxyOptions {
  readonly controlPlane: { readonly xds: readonly string[]; readonly trustDomain: string };
  /** Each `*.json` in it is a workload; it is watched. */
  readonly workloads: string;
  /** Identities and saved configurations. */
  readonly stateDir: string;
  /** Sockets; a short path. */
  readonly runDir: string;
  /** Gets a token for a workload that has none of its own. */
  readonly joinToken?: (workload: NodeWorkload) => Promise<string | undefined>;
  /** How long the first identity of a workload may take. Default 60,000. */
  readonly startTimeoutMs?: number;
  /** Default `open`. With `closed` the rules stay when it is stopped, too: until it is back, or the workload is removed. */
  readonly ifProxyDies?: IfProxyDies;
  /**
   * The time line of a restart or stop: over so long connections are asked to go to the successor; what runs then goes on until
   * `drainTimeoutMs`. Default 5,000.
   */
  readonly drainWindowMs?: number;
  /** Connections of a process that was replaced are cut after so long. Default 600,000 (Envoy's drain time). */
  readonly drainTimeoutMs?: number;
  readonly log?: Log;
}

/** A running node proxy. */
export interface NodeProxy {
  readonly admin: Address;
  status(): NodeProxyStatus;
  /** Resolves when all that the directory holds now is served, or has failed. */
  settled(): Promise<void>;
  /** Replaces the engine process under the supervisor's sockets; no connection is refused or cut. */
  restart(): Promise<void>;
  /** Leaves the mesh with every workload, lets what runs end, at most for `drainMs` (default 10,000), then closes everything. */
  stop(drainMs?: number): Promise<void>;
}

export interface NodeProxyStatus {
  /** The supervisor's. */
  readonly pid: number;
  readonly startedMs: number;
  readonly ifProxyDies: IfProxyDies;
  readonly workloads: readonly ReturnType<ServedWorkload['status']>[];
  /** Why a file, or the workload in it, is not served, a sentence each. */
  readonly faults: readonly string[];
  readonly supervisor: SupervisorStatus;
}

const DEFAULT_STOP_DRAIN_MS = 10_000;

/**
 * One process for the workloads of a node, each with its own identity in its own network namespace. Resolves when the engine
 * runs; the workloads follow.
 * @throws DirectoryInUseError (`@tulle/directory-lock`); CaptureUnavailableError (`@tulle/sidecar`) naming all that this
 *   machine lacks
 */
export async function startNodeProxy(options: NodeProxyOptions): Promise<NodeProxy> {
  const { stateDir, runDir, log = stderrLog, drainWindowMs = 5_000, ifProxyDies = 'open' } = options;
  const missing = missingForCapture();
  if (missing.length > 0) throw new CaptureUnavailableError(missing);
  const namespaces = networkNamespaces();
  for (const directory of [stateDir, runDir, options.workloads]) makePrivateDirectory(directory);
  const locks = [await lockDirectory(runDir)];
  const meter = createRegistry();
  const settings: EngineSettings = { drainWindowMs };
  const supervisor = createSupervisor({
    module: new URL(import.meta.resolve('@tulle/node-proxy/engine-main')),
    settings,
    runDir,
    stateDir,
    bindSocket: bindInside(namespaces),
    log,
    ...(options.drainTimeoutMs === undefined ? {} : { drainTimeoutMs: options.drainTimeoutMs }),
  });
  await supervisor.start();

  /** What each workload needs, as it is in force. */
  const parts = new Map<string, WorkloadConfig>();
  let version = 0;
  let applying: Promise<unknown> = Promise.resolve();
  const apply = async (served: ServedWorkload, config: ProxyConfig | undefined): Promise<ApplyResult> => {
    const work = applying.then(async (): Promise<ApplyResult> => {
      const next = new Map(parts);
      if (config === undefined) next.delete(served.key);
      else
        next.set(served.key, {
          key: served.key,
          network: served.workload.network,
          spiffeId: served.spiffeId,
          config,
        });
      const merged = mergeConfigs([...next.values()], String(++version));
      const refused = await applyToEngine(async () => supervisor.apply(merged));
      if (refused !== undefined) return refused;
      parts.clear();
      for (const [key, part] of next) parts.set(key, part);
      return { ok: true };
    });
    applying = work.catch(() => {});
    return work;
  };
  const host: WorkloadHost = {
    controlPlane: options.controlPlane,
    stateDir,
    supervisor,
    namespaces,
    ifProxyDies,
    log,
    meter,
    startTimeoutMs: options.startTimeoutMs,
    joinToken: options.joinToken,
    apply,
  };

  const workloads = new ServedWorkloads(options.workloads, (one) => new ServedWorkload(host, one), log);
  const startedMs = Date.now();
  const status = (): NodeProxyStatus => ({
    pid: process.pid,
    startedMs,
    ifProxyDies,
    workloads: workloads.served.map((one) => one.status()),
    faults: workloads.faults,
    supervisor: supervisor.status(),
  });
  const front = await serveAdminFront({
    supervisor,
    address: { path: join(runDir, 'admin.sock') },
    pages: { '/node-proxy': status },
    metrics: (format) => [...renderText(meter, format)].join(''),
  });
  const stopWatching = watchDirectory(options.workloads, () => workloads.look());
  workloads.look();
  return {
    admin: front.address,
    status,
    settled: async () => workloads.settled(),
    restart: async () => supervisor.restart(),
    async stop(drainMs = DEFAULT_STOP_DRAIN_MS) {
      stopWatching();
      await workloads.stop();
      await supervisor.stop(drainMs);
      await front.close();
      for (const lock of locks) lock.release();
    },
  };
}

/**
 * Takes away what a proxy that is gone left in the network of a workload (`ifProxyDies: 'closed'`). Where one runs in that
 * directory, that is its own affair.
 * @throws Error with what nft says, or that this needs root
 */
export async function liftLeftRules(workload: NodeWorkload, runDir: string): Promise<void> {
  const missing = !existsSync(runDir);
  if (missing && process.geteuid?.() !== 0) return; // none ever ran for this user
  let lock: DirectoryLock | undefined;
  try {
    if (!missing) lock = await lockDirectory(runDir); // one that is missing was cleaned away
  } catch (error) {
    if (error instanceof DirectoryInUseError) return;
    throw error;
  }
  try {
    await liftRules(networkNamespaces(), workload);
  } finally {
    lock?.release();
  }
}
