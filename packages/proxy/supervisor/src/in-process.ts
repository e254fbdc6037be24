import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '@tulle/filter';
import {
  formatAddress,
  type Address,
  type Discover,
  type IdentitySource,
  type ProxyConfig,
} from '@tulle/model';
import { bindSocket, canBindSockets, holdSocket, type BoundSocket } from './bound-socket.ts';
import type { CreateEngine, Engine, ListenerSource } from './engine.ts';
import { stderrLog } from './stderr-log.ts';
import type { Supervisor } from './supervisor.ts';

/** A data plane in the app's own process: `--workers 1 --no-supervisor`, and tests. */
export interface InProcessOptions<Settings> {
  readonly createEngine: CreateEngine<Settings>;
  readonly settings: Settings;
  readonly identity?: IdentitySource;
  /** Looks for what requests need. Default: nobody does. */
  readonly discover?: Discover;
  /** Directory of the admin socket; made with mode 0700. */
  readonly runDir: string;
  /** Connections may live on for so long after `stop`. Default 600,000. */
  readonly drainTimeoutMs?: number;
  readonly log?: Log;
}

/**
 * The same interface without a second process: sockets live and die with this one, and `restart` makes a new engine
 * after the old one let go of its addresses.
 */
export function createInProcessSupervisor<Settings>(options: InProcessOptions<Settings>): Supervisor {
  const log = options.log ?? stderrLog;
  const drainTimeoutMs = options.drainTimeoutMs ?? 600_000;
  const bound = new Map<string, BoundSocket>();
  let settings = options.settings;
  let engine: Engine | undefined;
  let config: ProxyConfig | undefined;
  let generation = 0;
  const held = new Set<Address>();

  const take = async (address: Address): Promise<BoundSocket> =>
    canBindSockets() ? bindSocket(address) : holdSocket(address);

  const listeners: ListenerSource = {
    async acquire(address) {
      const key = formatAddress(address);
      const socket = bound.get(key) ?? (await take(address));
      bound.delete(key); // a handle serves one server; closing the server closes it
      held.add(socket.address);
      return {
        handle: socket.handle,
        address: socket.address,
        release: () => void held.delete(socket.address),
      };
    },
  };
  const adminAddress = (): Address => ({ path: join(options.runDir, `engine-0-${generation}.sock`) });

  const make = async (): Promise<Engine> => {
    generation += 1;
    const made = await options.createEngine({
      settings,
      slot: 0,
      workers: undefined,
      generation,
      listeners,
      identity: options.identity,
      identities: () => undefined,
      adminAddress: adminAddress(),
      tokens: undefined,
      discover: options.discover,
      log,
    });
    if (config !== undefined) {
      try {
        await made.apply(config);
      } catch (error) {
        await made.close();
        throw error;
      }
    }
    return made;
  };

  const end = async (old: Engine, drainMs: number): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    if (drainMs > 0) {
      const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, drainMs)));
      await Promise.race([old.drain(), timeout]);
      clearTimeout(timer);
    }
    await old.close();
  };

  return {
    async start(initial) {
      mkdirSync(options.runDir, { recursive: true, mode: 0o700 });
      config = initial;
      engine = await make();
    },
    async bind(address, told) {
      const socket = await take(address);
      bound.set(formatAddress(socket.address), socket);
      const { fd } = socket.handle;
      if (fd !== undefined && fd >= 0) told?.(fd);
      return socket.address;
    },
    async apply(next) {
      await engine?.apply(next);
      config = next;
    },
    async restart(change = {}) {
      if (change.module !== undefined)
        throw new Error('a single process cannot take another main; start it with a supervisor');
      if ('settings' in change) settings = change.settings as Settings;
      const old = engine;
      if (old !== undefined) await end(old, drainTimeoutMs);
      engine = await make();
    },
    adminAddress: (slot = 0) => (slot === 0 && engine !== undefined ? adminAddress() : undefined),
    stats: async () => (engine === undefined ? [] : [engine.stats?.() ?? {}]),
    addIdentity: async () => {
      throw new Error('one process without a supervisor serves one identity; leave --no-supervisor out');
    },
    // The engine follows the identity itself.
    identityInUse: async () => {},
    status: () => ({
      configVersion: config?.version,
      listeners: [...held],
      crashes: 0,
      connectionsMoved: 0,
      processes:
        engine === undefined
          ? []
          : [{ slot: 0, generation, pid: process.pid, state: 'ready', adminAddress: adminAddress() }],
    }),
    async stop(drainMs = drainTimeoutMs) {
      const old = engine;
      engine = undefined;
      if (old !== undefined) await end(old, drainMs);
      for (const { handle } of bound.values()) handle.close();
      bound.clear();
    },
  };
}
