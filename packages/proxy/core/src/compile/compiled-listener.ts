import type { CidrSet } from '@tulle/match';
import type { Listener } from '@tulle/model';
import type { ServerTls } from '../ports.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import type { HttpChain } from './compiled.ts';
import type { FilterSet } from './filter-set.ts';

/** A chain's conditions, compiled. */
export interface CompiledChainMatch {
  /** Exact names, and `.suffix` for `*.suffix`; `undefined`: any. */
  readonly serverNames: readonly string[] | undefined;
  readonly transport: 'tls' | 'plain' | undefined;
  readonly sources: CidrSet | undefined;
}

/** A TCP chain of one configuration generation. */
export interface TcpChain {
  readonly name: string;
  readonly shares: readonly { readonly ref: ClusterRef; readonly weight: number }[];
  readonly totalWeight: number;
  readonly filters: FilterSet;
  readonly idleTimeoutMs: number;
  readonly generation: number;
}

/** One filter chain of a listener. */
export interface CompiledChain {
  readonly name: string;
  /** Canonical text of everything it was made of: the same text is the same chain. */
  readonly key: string;
  readonly match: CompiledChainMatch | undefined;
  readonly tls: ServerTls | undefined;
  readonly tlsKey: string;
  readonly filtersKey: string;
  readonly handler: HttpChain | TcpChain;
}

/** A listener with its chains. */
export interface CompiledListener {
  readonly name: string;
  readonly config: Listener;
  readonly chains: readonly CompiledChain[];
  /** Connection filters of the listener. */
  readonly filters: FilterSet;
  readonly filtersKey: string;
  /** The chain depends on the first bytes. */
  readonly looksAtBytes: boolean;
  readonly looksAtNames: boolean;
  readonly mayUseTls: boolean;
}

/** The first chain whose conditions hold. */
export function chooseChain(
  listener: CompiledListener,
  remoteAddress: string,
  tls: boolean | undefined,
  serverName: string | undefined,
): CompiledChain | undefined {
  return listener.chains.find(({ match }) => {
    if (match === undefined) return true;
    if (match.sources !== undefined && !match.sources.has(remoteAddress)) return false;
    if (match.transport !== undefined && (match.transport === 'tls') !== tls) return false;
    return (
      match.serverNames === undefined ||
      (serverName !== undefined && match.serverNames.some((name) => matchesName(name, serverName)))
    );
  });
}

function matchesName(pattern: string, name: string): boolean {
  return pattern.startsWith('.') ? name.length > pattern.length && name.endsWith(pattern) : pattern === name;
}
