import { checkDefinition } from './check-definition.ts';
import type { DefinitionBase, FilterHost } from './host.ts';
import type { FilterUseOptions } from './http-filter.ts';
import type { Slot } from './slot.ts';
import type { ConnectionInfo } from './stream.ts';
import type { HookResult, STOP } from './verdict.ts';

/** A connection lent to a hook of a connection filter. Borrowed like a stream (decision D2). */
export interface Connection extends ConnectionInfo {
  /**
   * Closes the connection; `return connection.close('TULLE_AUTHZ_DENIED')` reads as one line.
   * @param details goes to record, log and metric
   */
  close(code: string, details?: string): typeof STOP;
  /** Writes (code, value) into the decision notes (D10). */
  note(code: number, value: number): void;
  /**
   * Texts of what is known of the connection by now, in the words of access logs.
   * @param render of `@tulle/record-format`: gets a `StreamRecord` of `@tulle/telemetry`, borrowed until it returns
   */
  describe(render: (record: never) => string): string;
  /** What filters of the connection have found out; streams see the filter state of it (`FILTER_STATE`), and nothing else. */
  get<T>(slot: Slot<T>): T | undefined;
  set<T>(slot: Slot<T>, value: T): void;
}

/** The phases of a connection, all optional. */
export interface ConnHooks<Config, State = undefined> {
  /** Accepted; nothing read, no TLS yet: `tls`, `peerIdentity`, `serverName` and `alpn` are not known. */
  connect?(connection: Connection, config: Config, state: State): HookResult;
  /** After the TLS handshake and verification of the peer; at once after `connect` where there is no TLS. */
  handshake?(connection: Connection, config: Config, state: State): HookResult;
  /** Bytes from the downstream peer, after TLS. Only in TCP chains. Borrowed until the hook returns. */
  read?(connection: Connection, config: Config, state: State, bytes: Uint8Array, end: boolean): HookResult;
  /** Bytes towards the downstream peer. Only in TCP chains. */
  write?(connection: Connection, config: Config, state: State, bytes: Uint8Array, end: boolean): HookResult;
  /** Exactly once, however it ended. Synchronous: a promise is a fault that is counted. */
  close?(connection: Connection, config: Config, state: State): undefined;
  /** Once, when this configuration generation has no connection left. */
  dispose?(): void | Promise<void>;
}

/** Everything about a connection (layer 4) filter but its configuration. */
export interface ConnFilterDefinition<Config, State = undefined> extends DefinitionBase<Config> {
  readonly kind?: 'connection';
  readonly state?: { create(): State; reset(state: State): void };
  create(host: FilterHost, config: Config): ConnHooks<Config, State> | Promise<ConnHooks<Config, State>>;
}

/** A connection filter with its configuration. */
export interface ConnFilterUse {
  readonly filter: AnyConnFilter;
  readonly config: unknown;
  readonly options: FilterUseOptions;
}

/** A connection filter: call it to put it into a listener's chain, or list it in a registry. */
export interface ConnFilter<Config, State = undefined> {
  (config: Config, options?: FilterUseOptions): ConnFilterUse;
  readonly definition: ConnFilterDefinition<Config, State> & { readonly kind: 'connection' };
}

/** Any connection filter whatever its configuration. */
export interface AnyConnFilter {
  (config: never, options?: FilterUseOptions): ConnFilterUse;
  readonly definition: ConnFilterDefinition<unknown, unknown> & { readonly kind: 'connection' };
}

/** Defines a connection filter. @throws TulleError `TULLE_CONFIG_INVALID` when the definition contradicts itself */
export function defineConnFilter<Config, State = undefined>(
  definition: ConnFilterDefinition<Config, State>,
): ConnFilter<Config, State> {
  checkDefinition(definition);
  const frozen = Object.freeze({ ...definition, kind: 'connection' as const });
  const filter = ((config: Config, options: FilterUseOptions = {}): ConnFilterUse =>
    Object.freeze({ filter, config, options })) as ConnFilter<Config, State>;
  return Object.freeze(Object.assign(filter, { definition: frozen }));
}
