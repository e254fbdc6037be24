import {
  CONTINUE,
  errorRow,
  STOP,
  TulleError,
  type Connection,
  type ConnHooks,
  type Slot,
} from '@tulle/filter';
import type { StreamRecord } from '@tulle/telemetry';
import type { ConnFilterInstance, FilterSet } from '../compile/filter-set.ts';
import type { Engine } from '../engine.ts';
import { ConnectionState } from '../internal/connection-state.ts';
import { describeConnection } from '../stream/describe-connection.ts';
import { disown, isThenable, messageOf } from '../thenable.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { RelayTap } from './relay.ts';

type HeadHook = 'connect' | 'handshake';

/** The connection filters of one connection: runs their hooks in order, and remembers why one of them closed it. */
export class ConnectionHooks implements RelayTap {
  readonly #engine: Engine;
  readonly #set: FilterSet;
  readonly #filters: readonly ConnFilterInstance[];
  readonly #states: unknown[];
  readonly #view: ConnectionView;
  #closed = false;

  /** @param chain whose filters they are; `''`: the listener's, before there is one */
  constructor(engine: Engine, set: FilterSet, facts: ConnectionFacts, chain = '') {
    this.#engine = engine;
    this.#set = set;
    this.#filters = set.connFilters;
    this.#states = this.#filters.map((filter) => filter.state?.create());
    this.#view = new ConnectionView(engine, facts, chain);
    set.retain();
  }

  /** Why a hook closed the connection; `''` when none did. */
  get code(): string {
    return this.#view.code;
  }

  get details(): string {
    return this.#view.details;
  }

  /** What the filters put down; `undefined`: nothing. */
  get state(): ConnectionState | undefined {
    return this.#view.facts.state;
  }

  /** TLS told more about the peer. */
  update(facts: ConnectionFacts): void {
    this.#view.facts = facts;
  }

  get hasBytesHooks(): boolean {
    return this.#filters.some(
      (filter) => filter.hooks.read !== undefined || filter.hooks.write !== undefined,
    );
  }

  /** Runs a hook of every filter. @returns whether the connection goes on; a promise only where a hook gave one */
  run(phase: HeadHook, from = 0): boolean | Promise<boolean> {
    for (let i = from; i < this.#filters.length; i++) {
      const filter = this.#filters[i] as ConnFilterInstance;
      const hook = filter.hooks[phase];
      if (hook === undefined) continue;
      const passed = this.#one(filter, () =>
        hook.call(filter.hooks, this.#view, filter.config, this.#states[i]),
      );
      if (typeof passed === 'object') return passed.then((ok) => (ok ? this.run(phase, i + 1) : false));
      if (!passed) return false;
    }
    return true;
  }

  /** Runs `connect`, then `handshake`, of a connection whose peer is known. @returns whether it goes on */
  admit(): boolean | Promise<boolean> {
    const connected = this.run('connect');
    return typeof connected === 'boolean'
      ? connected && this.run('handshake')
      : connected.then((ok) => ok && this.run('handshake'));
  }

  bytes(fromCaller: boolean, bytes: Uint8Array, end: boolean): boolean | Promise<boolean> {
    return this.#bytesFrom(fromCaller, bytes, end, 0);
  }

  #bytesFrom(fromCaller: boolean, bytes: Uint8Array, end: boolean, from: number): boolean | Promise<boolean> {
    for (let i = from; i < this.#filters.length; i++) {
      const filter = this.#filters[i] as ConnFilterInstance;
      const hook: ConnHooks<unknown, unknown>['read'] = fromCaller ? filter.hooks.read : filter.hooks.write;
      if (hook === undefined) continue;
      const passed = this.#one(filter, () =>
        hook.call(filter.hooks, this.#view, filter.config, this.#states[i], bytes, end),
      );
      if (typeof passed === 'object')
        return passed.then((ok) => (ok ? this.#bytesFrom(fromCaller, bytes, end, i + 1) : false));
      if (!passed) return false;
    }
    return true;
  }

  #one(filter: ConnFilterInstance, call: () => unknown): boolean | Promise<boolean> {
    let verdict: unknown;
    try {
      verdict = call();
    } catch (error) {
      return this.#failed(filter, error);
    }
    if (isThenable(verdict)) {
      return Promise.resolve(verdict).then(
        (settled) => this.#judge(filter, settled),
        (error: unknown) => this.#failed(filter, error),
      );
    }
    return this.#judge(filter, verdict);
  }

  #judge(filter: ConnFilterInstance, verdict: unknown): boolean {
    if (this.#view.code !== '') return false;
    if (verdict === CONTINUE) return true;
    return this.#failed(
      filter,
      new TulleError(
        'TULLE_FILTER_FAILED',
        verdict === STOP
          ? `filter ${filter.name} returned STOP without connection.close(code)`
          : `filter ${filter.name} returned ${String(verdict)}; a hook returns CONTINUE, STOP or a promise of one`,
      ),
    );
  }

  #failed(filter: ConnFilterInstance, error: unknown): boolean {
    filter.errors.add();
    this.#engine.log.error(
      `filter ${filter.name} failed: ${error instanceof Error ? error.message : String(error)}`,
      {
        filter: filter.name,
        stack: error instanceof Error ? error.stack : undefined,
      },
    );
    if (filter.failOpen) return true;
    this.#view.close('TULLE_FILTER_FAILED', `filter_failed{${filter.name}}`);
    return false;
  }

  /** The connection is over: `close` of every filter, once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [i, filter] of this.#filters.entries()) {
      try {
        const result: unknown = filter.hooks.close?.(this.#view, filter.config, this.#states[i]);
        if (result !== undefined && isThenable(result))
          disown(result, (message) => this.#closeFailed(filter, message));
        else if (filter.state !== undefined) filter.state.reset(this.#states[i]);
      } catch (error) {
        this.#closeFailed(filter, messageOf(error));
      }
    }
    this.#set.release();
  }

  #closeFailed(filter: ConnFilterInstance, message: string): void {
    filter.errors.add();
    this.#engine.log.error(`filter ${filter.name} failed in close: ${message}`, { filter: filter.name });
  }
}

class ConnectionView implements Connection {
  facts: ConnectionFacts;
  code = '';
  details = '';
  readonly #engine: Engine;
  readonly #chain: string;

  constructor(engine: Engine, facts: ConnectionFacts, chain: string) {
    this.#engine = engine;
    this.facts = facts;
    this.#chain = chain;
  }

  get remoteAddress(): string {
    return this.facts.remoteAddress;
  }
  get directAddress(): string {
    return this.facts.directAddress;
  }
  get remotePort(): number {
    return this.facts.remotePort;
  }
  get localAddress(): string {
    return this.facts.localAddress;
  }
  get localPort(): number {
    return this.facts.localPort;
  }
  get listener(): string {
    return this.facts.listener;
  }
  get direction(): 'inbound' | 'outbound' | 'unspecified' {
    return this.facts.direction;
  }
  get tls(): boolean {
    return this.facts.tls;
  }
  get peerIdentity(): string | undefined {
    return this.facts.peerIdentity;
  }

  get peerCertificate(): string | undefined {
    return this.facts.peerCertificate;
  }
  get serverName(): string | undefined {
    return this.facts.serverName;
  }
  get alpn(): string | undefined {
    return this.facts.alpn;
  }

  close(code: string, details?: string): typeof STOP {
    if (this.code === '') {
      this.code = code;
      this.details = details ?? errorRow(code)?.details ?? '';
    }
    return STOP;
  }

  /** A connection has no explanation yet that would decode its notes. */
  note(_code: number, _value: number): void {}

  describe(render: (record: never) => string): string {
    const { facts } = this;
    return this.#engine.recorder.describeOther(
      (record) => {
        describeConnection(record, facts);
        record.startEpochMs = this.#engine.clock.epochMs();
        record.filterChain = record.routeName = this.#chain;
      },
      render as (record: StreamRecord) => string,
    );
  }

  get<T>(slot: Slot<T>): T | undefined {
    return this.facts.state?.get(slot);
  }

  set<T>(slot: Slot<T>, value: T): void {
    (this.facts.state ??= new ConnectionState()).set(slot, value);
  }
}
