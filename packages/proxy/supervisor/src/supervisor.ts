import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '@tulle/filter';
import {
  isUnixAddress,
  type Address,
  type Discover,
  type IdentitySource,
  type ProxyConfig,
} from '@tulle/model';
import { createBackoff, TokenBank } from '@tulle/time';
import type { BoundSocket } from './bound-socket.ts';
import { startChild, type Child } from './child.ts';
import { ConnectionBalance } from './connection-balance.ts';
import { Identities } from './identities.ts';
import { createListenerTable } from './listener-table.ts';
import type { SignedIdentity } from './protocol.ts';
import { stderrLog, type LogLevel } from './stderr-log.ts';
import type { SupervisorStatus } from './supervisor-status.ts';

/** The workload's identity as the supervisor holds it; `createIdentityClient` of `@tulle/ca` gives one. */
export interface SupervisorIdentity extends IdentitySource {
  readonly spiffeId: string;
  /** Has the CA sign a CSR of an engine process, for the same identity. */
  signCsr(csrPem: string): Promise<SignedIdentity>;
}

/** Something an operator may want to know. */
export type SupervisorEvent =
  | {
      readonly kind: 'started';
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
      readonly tookMs: number;
    }
  | { readonly kind: 'draining'; readonly slot: number; readonly generation: number; readonly pid: number }
  | {
      readonly kind: 'ended';
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
      readonly cut: boolean;
    }
  /** It ended unasked; another is started after `restartInMs`. */
  | {
      readonly kind: 'crashed';
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
      readonly error: Error;
      readonly restartInMs: number;
    }
  | {
      readonly kind: 'config-failed';
      readonly slot: number;
      readonly version: string;
      readonly error: Error;
    };

/** How a supervisor runs its engine processes. */
export interface SupervisorOptions {
  /** The engine process's main: a module that calls `runEngineProcess`. */
  readonly module: string | URL;
  /** Handed to each engine; plain data. */
  readonly settings: unknown;
  /** Engine processes at a time. Default 1; more than there are CPUs is of no use. */
  readonly workers?: number;
  /**
   * Whether several workers get even shares of connections: one that has more than another gives new ones to the one that has
   * least. Default true; false leaves it to the kernel, which gives few connections that stay to one process mostly.
   */
  readonly balanceConnections?: boolean;
  /** Looks for what requests need, for every process. Default: nobody does. */
  readonly discover?: Discover;
  /** Absent: engines run without identity. */
  readonly identity?: SupervisorIdentity;
  /** Directory for the processes' admin sockets; made with mode 0700. A short path: a socket's is limited to 107 bytes. */
  readonly runDir: string;
  /** Where processes keep their identity; absent: nowhere, a start then needs the CA. */
  readonly stateDir?: string;
  /** Connections of a process that was replaced may live on for so long. Default 600,000 (Envoy's drain time). */
  readonly drainTimeoutMs?: number;
  /** From a process's start to its first configuration. Default 30,000. */
  readonly readyTimeoutMs?: number;
  /** For one configuration. Default 30,000. */
  readonly applyTimeoutMs?: number;
  /** Delays between the starts of a process that crashes; full jitter, reset after `stableAfterMs`. Default 100 to 10,000. */
  readonly restartBackoff?: { readonly baseMs: number; readonly maxMs: number };
  /** A process that ran so long was no failed start. Default 10,000. */
  readonly stableAfterMs?: number;
  /** Node options of the processes. Default: the supervisor's own, and a young generation of 8 MiB where none is chosen. */
  readonly execArgv?: readonly string[];
  /** Makes listening sockets. Default {@link bindSocket}, in the network of the process. */
  readonly bindSocket?: (address: Address) => BoundSocket;
  readonly log?: Log;
  /** Level of the processes' own log, JSON lines on their standard error. Default `info`; the admin interface changes it. */
  readonly engineLogLevel?: LogLevel;
  /** Gets what the processes write to standard error. Default: the supervisor's own. */
  readonly stderr?: (text: string) => void;
  /** Must not throw. */
  readonly onEvent?: (event: SupervisorEvent) => void;
}

/**
 * Drives a data plane of one or several processes. Listening sockets belong to it: a restart, an upgrade or a crash
 * replaces a process, never a socket, so new connections wait in the kernel's queue instead of being refused.
 */
export interface Supervisor {
  /** Starts the engines. @throws the engine's own error when it cannot start; nothing runs on then */
  start(config?: ProxyConfig): Promise<void>;
  /**
   * Another identity for every process, by which listeners and clusters may name their certificate (model
   * `CertificateSource`): of a workload that the proxy serves. Resolves when each has a certificate.
   * @returns takes it away again
   * @throws Error when a process could not get one
   */
  addIdentity(identity: SupervisorIdentity): Promise<() => void>;
  /**
   * Binds an address and keeps it for life, e.g. to know the port before there is a configuration.
   * @param bound given the file descriptor, where Node tells it: `listen(2)` on it lets connections wait that come before a
   *   process listens; without it they are refused until then
   */
  bind(address: Address, bound?: (fd: number) => void): Promise<Address>;
  /**
   * Takes a configuration in every process, or in none.
   * @throws TulleError with every issue when it is refused
   */
  apply(config: ProxyConfig): Promise<void>;
  /**
   * Starts a successor of each process, one slot after the other, then drains the old ones.
   * @param change another main or settings: an upgrade
   * @throws the successor's error when it cannot start; the old process serves on
   */
  restart(change?: { readonly module?: string | URL; readonly settings?: unknown }): Promise<void>;
  /** Admin interface of the newest ready process of a slot. */
  adminAddress(slot?: number): Address | undefined;
  /** Numbers of each process that takes new work, as its engine gives them; of one that ends meanwhile none. */
  stats(): Promise<readonly Readonly<Record<string, number>>[]>;
  status(): SupervisorStatus;
  /**
   * Resolves when every process, those that drain too, believes the roots that the identity had when this was asked, and
   * has renewed its certificate if the identity had been.
   * @throws Error when one does not answer
   */
  identityInUse(): Promise<void>;
  /** Drains every process, at most for `drainMs` (default: the option), then ends them and closes the sockets. */
  stop(drainMs?: number): Promise<void>;
}

/** Grace for a process that was told to end at once. */
const CLOSE_GRACE_MS = 5_000;

/** Makes a supervisor; nothing is started yet. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const log = options.log ?? stderrLog;
  const report = options.onEvent ?? ((): void => {});
  const workers = options.workers ?? 1;
  const drainTimeoutMs = options.drainTimeoutMs ?? 600_000;
  const applyTimeoutMs = options.applyTimeoutMs ?? 30_000;
  const stableAfterMs = options.stableAfterMs ?? 10_000;
  const listeners = createListenerTable(options.bindSocket);
  const balance = workers > 1 && options.balanceConnections !== false ? new ConnectionBalance() : undefined;
  const bank = workers > 1 ? new TokenBank() : undefined;
  let { module, settings } = options;
  let config: ProxyConfig | undefined;
  let generation = 0;
  let crashes = 0;
  let stopping = false;
  const children = new Set<Child>();
  const identities = new Identities(children, options.identity, options.stateDir);
  const readyChildren = new Set<Child>();
  /** By slot, the process that takes new work. */
  const current = new Map<number, Child>();
  const backoffs = Array.from({ length: workers }, () =>
    createBackoff(options.restartBackoff ?? { baseMs: 100, maxMs: 10_000 }, Math.random),
  );
  const timers = new Set<NodeJS.Timeout>();
  /** Whoever waits for some process to take new work. */
  const waiting: (() => void)[] = [];
  // One change at a time: a restart and two configurations must not interleave.
  let changes: Promise<unknown> = Promise.resolve();

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = changes.then(work);
    changes = done.catch(() => {});
    return done;
  };

  const spawn = (slot: number): Child => {
    generation += 1;
    const path = join(options.runDir, `engine-${slot}-${generation}.sock`);
    if (Buffer.byteLength(path) > 107)
      throw new Error(`${path} is too long for a Unix socket (107 bytes); choose a shorter run directory`);
    rmSync(path, { force: true });
    const child = startChild({
      module,
      settings,
      slot,
      workers,
      generation,
      listeners,
      balance,
      bank,
      discover: options.discover,
      config,
      adminAddress: { path },
      identity: identities.ownFor(slot),
      identities: identities.othersFor(slot),
      sign: async (csrPem, spiffeId) => identities.sign(csrPem, spiffeId),
      applyTimeoutMs,
      readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
      execArgv: options.execArgv,
      logLevel: options.engineLogLevel,
      stderr: options.stderr ?? ((text) => void process.stderr.write(text)),
    });
    children.add(child);
    const startedMs = performance.now();
    child.ready.then(
      () => {
        readyChildren.add(child);
        report({
          kind: 'started',
          slot,
          generation: child.generation,
          pid: child.pid,
          tookMs: performance.now() - startedMs,
        });
      },
      () => {},
    );
    void child.ended.then(() => {
      children.delete(child);
      readyChildren.delete(child);
      if (isUnixAddress(child.adminAddress)) rmSync(child.adminAddress.path, { force: true });
    });
    return child;
  };

  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };

  /** Makes a ready process the one of its slot, and sees to its succession from now on. */
  const install = (child: Child): void => {
    const { slot } = child;
    const readySinceMs = performance.now();
    current.set(slot, child);
    balance?.join(child);
    for (const wake of waiting.splice(0)) wake();
    void child.leaving.then(async () => {
      balance?.leave(child);
      if (stopping || current.get(slot) !== child) return;
      current.delete(slot);
      if (child.draining) {
        // by a signal of its own: it ends in good order, its successor starts now
        boundDrain(child);
        succeed(slot, 0);
        return;
      }
      const { error } = await child.ended;
      crashes += 1;
      if (performance.now() - readySinceMs >= stableAfterMs) backoffs[slot]?.reset();
      const restartInMs = backoffs[slot]?.next() ?? 0;
      log.error('an engine process crashed', {
        slot,
        pid: child.pid,
        error: error.stack ?? error.message,
        restartInMs: Math.round(restartInMs),
      });
      report({ kind: 'crashed', slot, generation: child.generation, pid: child.pid, error, restartInMs });
      succeed(slot, restartInMs);
    });
  };

  /** Starts a process for a slot that has none; on failure again, later and later. */
  const succeed = (slot: number, delayMs: number): void => {
    later(delayMs, () => {
      if (stopping || current.has(slot)) return;
      const child = spawn(slot);
      child.ready
        .then(async () => {
          if (stopping || current.has(slot)) return child.close(CLOSE_GRACE_MS);
          install(child);
          sweep();
          return catchUp(child);
        })
        .catch((error: unknown) => {
          if (stopping) return;
          crashes += 1;
          const restartInMs = backoffs[slot]?.next() ?? 0;
          const failure = error instanceof Error ? error : new Error(String(error));
          log.error('an engine process could not start', {
            slot,
            pid: child.pid,
            error: failure.stack ?? failure.message,
            restartInMs: Math.round(restartInMs),
          });
          report({
            kind: 'crashed',
            slot,
            generation: child.generation,
            pid: child.pid,
            error: failure,
            restartInMs,
          });
          succeed(slot, restartInMs);
        });
    });
  };

  /** A process that started while the configuration changed. */
  const catchUp = async (child: Child): Promise<void> =>
    inTurn(async () => {
      if (config === undefined || child.config === config || !children.has(child)) return;
      await child.apply(config).catch((error: unknown) => {
        report({
          kind: 'config-failed',
          slot: child.slot,
          version: config?.version ?? '',
          error: error instanceof Error ? error : new Error(String(error)),
        });
        // It would answer by the configuration of before; its successor starts with this one, or not at all.
        return child.close(CLOSE_GRACE_MS);
      });
    });

  /** Sockets that nobody holds are closed only while no process is missing: its successor will want them. */
  const sweep = (): void => {
    if (!stopping && current.size === workers) listeners.sweep();
  };

  const boundDrain = (child: Child, ms = drainTimeoutMs): void => {
    report({ kind: 'draining', slot: child.slot, generation: child.generation, pid: child.pid });
    let cut = false;
    const timer = setTimeout(() => {
      cut = true;
      log.warn('the drain time is over; connections are cut', {
        slot: child.slot,
        pid: child.pid,
        drainTimeoutMs: ms,
      });
      void child.close(CLOSE_GRACE_MS);
    }, ms);
    void child.ended.then(() => {
      clearTimeout(timer);
      report({ kind: 'ended', slot: child.slot, generation: child.generation, pid: child.pid, cut });
      sweep();
    });
  };

  const drainChild = (child: Child, ms?: number): void => {
    balance?.leave(child);
    child.drain();
    boundDrain(child, ms);
  };

  /** A configuration is judged by an engine; between a crash and its successor there is none. */
  const someProcess = async (): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () =>
        reject(
          new Error('no engine process is running to take the configuration; see the crash reports above'),
        ),
      applyTimeoutMs,
    );
    waiting.push(resolve);
    await promise.finally(() => clearTimeout(timer));
  };

  const applyNow = async (next: ProxyConfig): Promise<void> => {
    const before = config;
    if (current.size === 0) await someProcess();
    const taking = [...current.values()];
    const results = await Promise.allSettled(taking.map(async (child) => child.apply(next)));
    const refused = (i: number): boolean => results[i]?.status === 'rejected' && !(taking[i] as Child).gone;
    const taken = results.some(({ status }) => status === 'fulfilled');
    const failed =
      results.find((result, i): result is PromiseRejectedResult => refused(i)) ??
      // All are gone: the configuration may be what ended them. Where one serves with it, another's end says nothing of it.
      (taken ? undefined : results.find((result) => result.status === 'rejected'));
    if (failed === undefined) {
      config = next;
      return;
    }
    // One engine refused, so no other may keep it: two processes of one proxy must not answer differently.
    await Promise.allSettled(
      results.map(async (result, i) => {
        if (result.status === 'fulfilled' && before !== undefined) await (taking[i] as Child).apply(before);
      }),
    );
    throw failed.reason;
  };

  return {
    async start(initial) {
      mkdirSync(options.runDir, { recursive: true, mode: 0o700 });
      config = initial;
      const started = Array.from({ length: workers }, (_, slot) => spawn(slot));
      const failed = (await Promise.allSettled(started.map(async (child) => child.ready))).find(
        (result) => result.status === 'rejected',
      );
      if (failed !== undefined) {
        stopping = true;
        await Promise.all([...children].map(async (child) => child.close(CLOSE_GRACE_MS)));
        listeners.closeAll();
        identities.close();
        throw failed.reason;
      }
      for (const child of started) install(child);
    },
    addIdentity: async (identity) => identities.add(identity),
    bind: async (address, bound) => listeners.pin(address, bound),
    apply: async (next) => inTurn(async () => applyNow(next)),
    restart: async (change = {}) =>
      inTurn(async () => {
        const before = { module, settings };
        module = change.module ?? module;
        if ('settings' in change) settings = change.settings;
        for (let slot = 0; slot < workers; slot++) {
          const child = spawn(slot);
          try {
            await child.ready;
          } catch (error) {
            ({ module, settings } = before);
            throw error;
          }
          const old = current.get(slot);
          install(child);
          if (old !== undefined) drainChild(old);
        }
      }),
    adminAddress: (slot = 0) => current.get(slot)?.adminAddress,
    async stats() {
      const all = await Promise.allSettled([...current.values()].map(async (child) => child.stats()));
      return all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    },
    status: () => ({
      configVersion: config?.version,
      listeners: listeners.addresses(),
      crashes,
      connectionsMoved: balance?.moved ?? 0,
      processes: [...children].map((child) => {
        const connections = balance?.connectionsOf(child);
        return {
          slot: child.slot,
          generation: child.generation,
          pid: child.pid,
          adminAddress: child.adminAddress,
          state: child.draining ? 'draining' : readyChildren.has(child) ? 'ready' : 'starting',
          ...(connections === undefined ? {} : { connections }),
        };
      }),
    }),
    async identityInUse() {
      await Promise.all(
        [...children].map(async (child) => {
          const settled = child.ready.then(async () => child.identitySettled());
          await Promise.race([settled, child.ended]);
        }),
      );
    },
    async stop(drainMs = drainTimeoutMs) {
      stopping = true;
      identities.close();
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(
        [...children].map(async (child) => {
          if (!readyChildren.has(child)) return child.close(CLOSE_GRACE_MS);
          if (drainMs <= 0) return child.close(CLOSE_GRACE_MS);
          drainChild(child, drainMs);
          await child.ended;
          return undefined;
        }),
      );
      balance?.close();
      listeners.closeAll();
    },
  };
}
