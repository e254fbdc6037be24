import { fork, type ChildProcess } from 'node:child_process';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Address, Discover, ProxyConfig, TrustBundle } from '@tulle/model';
import type { TokenBank } from '@tulle/time';
import type { ConnectionHandle } from './accept-gate.ts';
import type { Balanced, ConnectionBalance } from './connection-balance.ts';
import type { ListenerTable } from './listener-table.ts';
import { engineNodeOptions } from './node-options.ts';
import { createPending } from './pending.ts';
import {
  PROTOCOL_VERSION,
  type IdentityWelcome,
  type SignedIdentity,
  type ToChild,
  type ToSupervisor,
} from './protocol.ts';
import type { LogLevel } from './stderr-log.ts';
import { fromWire, toWire } from './wire-error.ts';

/** How one engine process is started. */
export interface ChildOptions {
  readonly module: string | URL;
  readonly slot: number;
  readonly workers: number;
  readonly generation: number;
  readonly settings: unknown;
  readonly adminAddress: Address;
  readonly config: ProxyConfig | undefined;
  readonly identity: IdentityWelcome | undefined;
  /** Of the workloads that it serves. */
  readonly identities: readonly IdentityWelcome[];
  readonly sign: (csrPem: string, spiffeId: string | undefined) => Promise<SignedIdentity>;
  readonly listeners: ListenerTable;
  /** Evens out connections between processes; undefined: there is one process. */
  readonly balance: ConnectionBalance | undefined;
  /** Buckets of limits that processes share; undefined: there is one process. */
  readonly bank: TokenBank | undefined;
  readonly discover: Discover | undefined;
  readonly applyTimeoutMs: number;
  readonly readyTimeoutMs: number;
  readonly execArgv: readonly string[] | undefined;
  readonly logLevel: LogLevel | undefined;
  /** Where the child's standard error goes, as it comes. */
  readonly stderr: (text: string) => void;
}

/** How a process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The engine's own error, or what the process last wrote to standard error. */
  readonly error: Error;
}

/** One engine process, seen from the supervisor. */
export interface Child extends Balanced {
  readonly slot: number;
  readonly generation: number;
  readonly pid: number;
  readonly adminAddress: Address;
  /** Started and standing on its configuration. Rejects with the engine's error when it could not start. */
  readonly ready: Promise<void>;
  /** It takes no new work: told to drain, by a signal of its own, or gone. */
  readonly leaving: Promise<void>;
  readonly ended: Promise<ChildEnd>;
  /** The last configuration sent to it. */
  readonly config: ProxyConfig | undefined;
  /** Whether it was told to end. */
  readonly draining: boolean;
  /** Whether it has ended. */
  readonly gone: boolean;
  /** @throws what the engine threw */
  apply(config: ProxyConfig): Promise<void>;
  stats(): Promise<Readonly<Record<string, number>>>;
  /** @throws Error when it could not get a certificate */
  addIdentity(welcome: IdentityWelcome): Promise<void>;
  removeIdentity(spiffeId: string): void;
  /** @param spiffeId of a workload; undefined: the proxy's own */
  renewIdentity(spiffeId: string | undefined): void;
  adoptBundles(bundles: readonly TrustBundle[], spiffeId: string | undefined): void;
  /** It has taken the roots and made the renewals that it was told of before. @throws Error when it does not say so in time */
  identitySettled(): Promise<void>;
  drain(): void;
  /** Asks it to end now; kills it when it has not after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Kept of standard error for the report of a crash. */
const STDERR_TAIL_CHARS = 8192;

/** A process shares the compile cache of its supervisor, if that has one: it starts in half the time. */
function childEnv(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return cache === undefined ? process.env : { NODE_COMPILE_CACHE: dirname(cache), ...process.env };
}

/** Starts a process. */
export function startChild(options: ChildOptions): Child {
  const { slot, generation, listeners } = options;
  const path = options.module instanceof URL ? fileURLToPath(options.module) : options.module;
  const subprocess: ChildProcess = fork(path, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: childEnv(),
    // A session of its own: what a terminal sends to everybody in front of it (Ctrl-C, Ctrl-\\, its end) is the
    // supervisor's to judge. Without a supervisor it ends, since its channel breaks.
    detached: true,
    execArgv: [...(options.execArgv ?? engineNodeOptions(process.execArgv, process.env['NODE_OPTIONS']))],
  });
  const pending = createPending(options.applyTimeoutMs, `the engine process ${String(subprocess.pid)}`);
  const ready = Promise.withResolvers<void>();
  const leaving = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<ChildEnd>();
  ready.promise.catch(() => {}); // whoever needs it awaits it; a crash is reported by `ended`
  let tail = '';
  let brokenBy: Error | undefined;
  let config = options.config;
  let draining = false;
  let gone = false;
  let balances = false;
  let least: number | undefined;

  const readyTimer = setTimeout(() => {
    brokenBy ??= new Error(
      `the engine process ${String(subprocess.pid)} was not ready within ${options.readyTimeoutMs} ms`,
    );
    subprocess.kill('SIGKILL');
  }, options.readyTimeoutMs);

  const send = (message: ToChild, handle?: unknown): void => {
    if (subprocess.connected) subprocess.send(message, handle as never, undefined, () => {});
  };

  subprocess.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-STDERR_TAIL_CHARS);
    options.stderr(text);
  });

  subprocess.on('message', (message: ToSupervisor, handle: unknown) => {
    switch (message.kind) {
      case 'hello':
        balances = message.balances === true;
        if (message.protocol !== PROTOCOL_VERSION)
          brokenBy ??= new Error(
            `the engine process speaks protocol ${message.protocol}, this supervisor ${PROTOCOL_VERSION}`,
          );
        return send({
          kind: 'welcome',
          protocol: PROTOCOL_VERSION,
          slot,
          workers: options.workers,
          generation,
          settings: options.settings,
          adminAddress: options.adminAddress,
          config,
          identity: options.identity,
          ...(options.identities.length === 0 ? {} : { identities: options.identities }),
          ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
          ...(options.balance === undefined ? {} : { balances: true }),
          ...(options.bank === undefined ? {} : { lendsTo: options.workers }),
          ...(options.discover === undefined ? {} : { discovers: true }),
        });
      case 'borrow': {
        const { id, limit, key, want } = message;
        const loan = options.bank?.lend(limit, key, want, performance.now());
        return send({ kind: 'lent', id, ...(loan ?? { granted: 0, retryInMs: 1_000 }) });
      }
      case 'discover': {
        const { id, demand } = message;
        const answered = (): void => send({ kind: 'discovered', id });
        options.discover?.(demand).then(answered, answered);
        return undefined;
      }
      case 'give-back':
        return options.bank?.giveBack(message.limit, message.key, message.tokens, performance.now());
      case 'load':
        return options.balance?.report(child, message.connections);
      case 'offer':
        return options.balance?.offer(child, message.key, message.connections, handle as ConnectionHandle);
      case 'took':
        return options.balance?.took(child, message.id, message.taken, message.connections);
      case 'acquire':
        try {
          const { key, socket } = listeners.acquire(message.address, generation);
          send({ kind: 'listener', id: message.id, key, address: socket.address }, socket.handle);
        } catch (error) {
          send({ kind: 'failed', id: message.id, error: toWire(error) });
        }
        return undefined;
      case 'release':
        // A draining process lets go of what its successor goes on using.
        if (!draining) listeners.release(message.key, generation);
        return undefined;
      case 'sign':
        options.sign(message.csrPem, message.spiffeId).then(
          (identity) => send({ kind: 'signed', id: message.id, identity }),
          (error: unknown) => send({ kind: 'failed', id: message.id, error: toWire(error) }),
        );
        return undefined;
      case 'ready':
        clearTimeout(readyTimer);
        return ready.resolve();
      case 'done':
        return pending.resolve(message.id, message.stats);
      case 'failed':
        return pending.reject(message.id, fromWire(message.error));
      case 'broken':
        brokenBy = fromWire(message.error);
        return undefined;
      case 'draining':
        draining = true;
        return leaving.resolve();
    }
  });

  const end = (code: number | null, signal: NodeJS.Signals | null): void => {
    clearTimeout(readyTimer);
    const how = signal === null ? `with code ${String(code)}` : `by ${signal}`;
    const error =
      brokenBy ??
      new Error(
        `the engine process ${String(subprocess.pid)} ended ${how}${tail === '' ? '' : `; it last wrote:\n${tail.trimEnd()}`}`,
      );
    gone = true;
    options.balance?.ended(child);
    listeners.forget(generation);
    pending.end(error);
    ready.reject(error);
    leaving.resolve();
    ended.resolve({ code, signal, error });
  };
  const child: Child = {
    slot,
    generation,
    pid: subprocess.pid ?? -1,
    adminAddress: options.adminAddress,
    ready: ready.promise,
    leaving: leaving.promise,
    ended: ended.promise,
    get config() {
      return config;
    },
    get draining() {
      return draining;
    },
    get gone() {
      return gone;
    },
    get balances() {
      return balances;
    },
    give(id, key, connection) {
      if (gone || !subprocess.connected) return false;
      send({ kind: 'connection', id, key }, connection);
      return true;
    },
    tellLeast(connections) {
      if (connections === least) return;
      least = connections;
      send({ kind: 'least', ...(connections === undefined ? {} : { connections }) });
    },
    async apply(next) {
      config = next;
      await pending.ask<undefined>((id) => send({ kind: 'config', id, config: next }));
    },
    stats: async () => pending.ask<Readonly<Record<string, number>>>((id) => send({ kind: 'stats', id })),
    async addIdentity(identity) {
      await pending.ask<undefined>((id) => send({ kind: 'add-identity', id, identity }));
    },
    removeIdentity: (spiffeId) => send({ kind: 'remove-identity', spiffeId }),
    renewIdentity: (spiffeId) => send({ kind: 'renew-identity', ...(spiffeId && { spiffeId }) }),
    adoptBundles: (bundles, spiffeId) => send({ kind: 'bundles', bundles, ...(spiffeId && { spiffeId }) }),
    async identitySettled() {
      await pending.ask<undefined>((id) => send({ kind: 'settle-identity', id }));
    },
    drain() {
      draining = true;
      send({ kind: 'drain' });
    },
    async close(graceMs) {
      draining = true;
      send({ kind: 'close' });
      const timer = setTimeout(() => subprocess.kill('SIGKILL'), graceMs);
      await ended.promise;
      clearTimeout(timer);
    },
  };
  // 'close' comes after standard error was read to its end, so the report of a crash is whole.
  subprocess.on('close', end);
  subprocess.on('error', (error) => {
    brokenBy ??= error;
    if (subprocess.pid === undefined) end(null, null); // it never started, so it will not close
  });

  return child;
}
