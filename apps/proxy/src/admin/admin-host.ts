import type { ProxyConfig } from '@tulle/model';
import type { LogLevel } from '@tulle/supervisor';
import type { NodeDescription, XdsClientState } from '@tulle/xds-client';
import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import type { EnvoyProxyOptions } from '../options.ts';

/** Envoy `ServerInfo.State`. */
export type ServerState = 'PRE_INITIALIZING' | 'INITIALIZING' | 'LIVE' | 'DRAINING';

/** The proxy, as far as its admin interface is concerned. */
export interface AdminHost {
  /** Socket of Tulle's own admin interface, which has one view over all engine processes. */
  readonly front: string;
  readonly startedMs: number;
  readonly options: EnvoyProxyOptions & { readonly workers: number };
  readonly baseId: number;
  readonly node: NodeDescription;
  bootstrap(): Bootstrap;
  /** Static resources in use. */
  fixed(): ProxyConfig;
  /** Discovered ones; `undefined` before the first. */
  discovered(): ProxyConfig | undefined;
  /** Everything that was discovered, with what that makes of static resources; `undefined` likewise. */
  inUse(): ProxyConfig | undefined;
  /** `undefined` where nothing is discovered. */
  discovery(): XdsClientState | undefined;
  state(): ServerState;
  /** @throws Error where not every engine process does so */
  failHealthCheck(fail: boolean): Promise<void>;
  /** Listeners are drained by hand. */
  draining(): void;
  /** Of the process that is no engine. */
  setLogLevel(level: LogLevel): void;
  /** Opens every file of a log anew. @throws Error where one cannot be had */
  reopenLogs(): Promise<void>;
  quit(): void;
}

/** What a page answers. */
export interface PageReply {
  readonly status?: number;
  /** Default text. */
  readonly contentType?: string;
  readonly body: string;
}

/** One page, with the method that Envoy gives it. */
export interface AdminPage {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly help: string;
  /** Whether callers of other machines may read it: numbers and readiness, nothing of the configuration. */
  readonly remote?: boolean;
  reply(query: URLSearchParams): PageReply | Promise<PageReply>;
}

export const JSON_TYPE = 'application/json';

/** A value as a page. */
export const jsonReply = (value: unknown): PageReply => ({
  contentType: JSON_TYPE,
  body: `${JSON.stringify(value, null, 1)}\n`,
});
