import type { Listener } from '@tulle/model';
import { HttpChain } from './compiled.ts';
import type { ListenerLogs } from './access-logs.ts';
import { inputsOf } from './chain-inputs.ts';
import type { ChainChooser } from './compile-chain-choice.ts';
import type { FilterSet } from './filter-set.ts';
import type { CompiledHbone } from './compiled-hbone.ts';
import type { TcpChain } from './compiled-tcp.ts';
import type { Networks } from './networks.ts';
import type { SharedTls } from './shared-tls.ts';

/** A chain's conditions, compiled. */
export interface CompiledChainMatch {
  /** Exact names, and `.suffix` for `*.suffix`; `undefined`: any. */
  readonly serverNames: readonly string[] | undefined;
  readonly transport: 'tls' | 'plain' | undefined;
  readonly destinationPort: number | undefined;
  readonly destinations: Networks | undefined;
  readonly applicationProtocols: readonly string[] | undefined;
  readonly directSources: Networks | undefined;
  readonly sourceType: 'local' | 'external' | undefined;
  readonly sources: Networks | undefined;
  readonly sourcePorts: readonly number[] | undefined;
}

/**
 * One filter chain of a listener. The very same object serves over generations while its configuration means the same,
 * and two listeners at a time while one of them leaves; the last user retires it.
 */
export class CompiledChain {
  readonly name: string;
  /** Canonical text of everything it was made of: the same text is the same chain. */
  readonly key: string;
  readonly match: CompiledChainMatch | undefined;
  readonly tls: SharedTls | undefined;
  readonly tlsKey: string;
  readonly filtersKey: string;
  readonly handler: HttpChain | TcpChain;
  /** Takes connections to a chain of HTTP that turn out to be none; `undefined`: they are refused. */
  readonly otherwise: TcpChain | undefined;
  /** `undefined`: as the engine's limits say. */
  readonly handshakeTimeoutMs: number | undefined;
  #users = 0;
  #retired = false;

  constructor(parts: {
    readonly name: string;
    readonly key: string;
    readonly match: CompiledChainMatch | undefined;
    readonly tls: SharedTls | undefined;
    readonly tlsKey: string;
    readonly filtersKey: string;
    readonly handler: HttpChain | TcpChain;
    readonly otherwise: TcpChain | undefined;
    readonly handshakeTimeoutMs: number | undefined;
  }) {
    this.name = parts.name;
    this.key = parts.key;
    this.match = parts.match;
    this.tls = parts.tls;
    this.tlsKey = parts.tlsKey;
    this.filtersKey = parts.filtersKey;
    this.handler = parts.handler;
    this.otherwise = parts.otherwise;
    this.otherwise?.filters.retain();
    this.handshakeTimeoutMs = parts.handshakeTimeoutMs;
    this.tls?.retain();
    if (this.handler instanceof HttpChain) return;
    this.handler.filters.retain();
    this.handler.accessLogs?.retain();
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    this.retireIfUnused();
  }

  /** Takes no new connection; what is under way ends with what it began with. */
  retireIfUnused(): void {
    if (this.#users > 0 || this.#retired) return;
    this.#retired = true;
    this.otherwise?.filters.release();
    if (this.handler instanceof HttpChain) this.handler.retire();
    else {
      this.handler.filters.release();
      this.handler.accessLogs?.release();
    }
    this.tls?.release();
  }
}

/** A listener with its chains, of one configuration. */
export class CompiledListener {
  readonly name: string;
  readonly config: Listener;
  readonly chains: readonly CompiledChain[];
  readonly byName: ReadonlyMap<string, CompiledChain>;
  /** Chooses a chain by its name; `undefined`: what chains match decides. */
  readonly chooser: ChainChooser | undefined;
  /** Connection filters of the listener. */
  readonly filters: FilterSet;
  readonly filtersKey: string;
  /** Lines about its connections, whatever chain took them. */
  readonly logs: ListenerLogs;
  /** How tunnels are taken; `undefined`: connections carry none. */
  readonly hbone: CompiledHbone | undefined;
  /** The chain depends on the first bytes. */
  readonly looksAtBytes: boolean;
  readonly looksAtNames: boolean;
  readonly looksAtProtocols: boolean;
  readonly mayUseTls: boolean;

  constructor(
    config: Listener,
    chains: readonly CompiledChain[],
    filters: FilterSet,
    filtersKey: string,
    hbone: CompiledHbone | undefined,
    logs: ListenerLogs,
    chooser: ChainChooser | undefined,
  ) {
    this.hbone = hbone;
    this.logs = logs;
    this.name = config.name;
    this.config = config;
    this.chains = chains;
    this.byName = new Map(chains.map((chain) => [chain.name, chain]));
    this.chooser = chooser;
    this.filters = filters;
    this.filtersKey = filtersKey;
    const inputs = inputsOf(config.chainChoice);
    this.looksAtNames =
      inputs.includes('server-name') || chains.some(({ match }) => match?.serverNames !== undefined);
    this.looksAtProtocols =
      inputs.includes('application-protocols') ||
      chains.some(({ match }) => match?.applicationProtocols !== undefined);
    this.looksAtBytes =
      this.looksAtNames ||
      this.looksAtProtocols ||
      inputs.includes('transport-protocol') ||
      chains.some(({ match }) => match?.transport !== undefined);
    this.mayUseTls = hbone !== undefined || chains.some(({ tls }) => tls !== undefined);
    Object.freeze(this);
  }

  /** A runtime serves by it from now on. */
  retain(): void {
    for (const chain of this.chains) chain.retain();
    this.filters.retain();
    this.logs.opened?.retain();
    this.hbone?.tls.retain();
  }

  /** No runtime will serve by it: what only it holds is let go. */
  retireIfUnused(): void {
    for (const chain of this.chains) chain.retireIfUnused();
  }

  /** The runtime serves by another, or not at all. */
  release(): void {
    for (const chain of this.chains) chain.release();
    this.filters.release();
    this.logs.opened?.release();
    this.hbone?.tls.release();
  }
}
