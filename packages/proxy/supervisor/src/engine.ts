import type { Log } from '@tulle/filter';
import type { Address, Discover, IdentitySource, ProxyConfig } from '@tulle/model';
import type { TokenLender } from '@tulle/time';
import type { SocketHandle } from './bound-socket.ts';

/** Where an engine gets its listening sockets: it never binds one itself. */
export interface ListenerSource {
  /**
   * The socket for an address, to be given to `net.Server.listen(socket.handle)`. Several processes may hold the same.
   * @throws TulleError `TULLE_CONFIG_INVALID` when the address cannot be had
   */
  acquire(address: Address): Promise<AcquiredListener>;
}

/** A listening socket lent to this process. */
export interface AcquiredListener {
  readonly handle: SocketHandle;
  /** With the real port where 0 was asked for. */
  readonly address: Address;
  /** After the server on it was closed: this process needs it no more. */
  release(): void;
}

/** What an engine is started with. */
export interface EngineContext<Settings> {
  /** Plain data from the app's main, as it was given to the supervisor. */
  readonly settings: Settings;
  /** 0 … workers - 1. */
  readonly slot: number;
  /** Processes of this proxy; `undefined` where this one is all, without a supervisor beside it. */
  readonly workers: number | undefined;
  /** Grows with each process of this supervisor. */
  readonly generation: number;
  readonly listeners: ListenerSource;
  /** The workload's identity, with a key that this process made; `undefined` where the app runs without identity. */
  readonly identity: IdentitySource | undefined;
  /** Those of the workloads that it serves, by SPIFFE id; `undefined` for others. */
  readonly identities: (spiffeId: string) => IdentitySource | undefined;
  /** Where to serve the admin interface: a Unix socket of this process alone. */
  readonly adminAddress: Address;
  /** Lends tokens of limits that all processes of the proxy share; `undefined` where this is the only process. */
  readonly tokens: TokenLender | undefined;
  /** Looks for what requests need; `undefined`: nobody does. */
  readonly discover: Discover | undefined;
  readonly log: Log;
}

/** A data plane in one process, as the supervisor drives it. */
export interface Engine {
  /**
   * Takes a configuration whole, or leaves the running one as it is.
   * @throws TulleError with every issue when it is refused
   */
  apply(config: ProxyConfig): Promise<void>;
  /** Takes no new work, lets what runs end. Resolves when the last connection is gone. */
  drain(): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
  /** A few numbers for status: connections, requests …; plain data. */
  stats?(): Readonly<Record<string, number>>;
}

/** Makes the engine; called once in each process. What it throws is shown to the person who started the app. */
export type CreateEngine<Settings> = (context: EngineContext<Settings>) => Promise<Engine>;
