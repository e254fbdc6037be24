import type { SubsetCriteria } from '@tulle/balance';
import { isValidTarget } from '@tulle/http1';
import type { TcpHandler, TcpProxyTlvs, TcpTunnel } from '@tulle/model';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { Engine } from '../engine.ts';
import { internalChain } from '../fetch/internal-chain.ts';
import type { ChainLogs } from '../stream/logs.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import { bytesOf } from '../upstream/proxy-header.ts';
import { compileEdits, compileValue } from './compile-edits.ts';
import { criteriaOf } from './compile-routes.ts';
import type { ForwardTarget } from './compiled.ts';
import type { CompiledTlvs, CompiledTunnel, TcpChain, TcpShare } from './compiled-tcp.ts';
import type { FilterSet } from './filter-set.ts';
import type { Issues } from './issues.ts';

/** A chain of bytes. @param path of what says so */
export function compileTcp(
  name: string,
  handler: Omit<TcpHandler, 'kind'>,
  parts: { readonly filters: FilterSet; readonly accessLogs: ChainLogs | undefined },
  path: string,
  context: {
    readonly ref: (cluster: string, path: string) => ClusterRef;
    readonly issues: Issues;
    readonly engine: Engine;
    readonly generation: number;
  },
): TcpChain {
  const shares = handler.clusters.map((share, index): TcpShare => {
    const ref = context.ref(share.name, `${path}/clusters/${index}/name`);
    const subset = criteriaOf(share.subset);
    const weight = share.weight ?? 1;
    return { ref, weight, subset, target: targetOf(name, share.name, ref, subset) };
  });
  if (shares.length === 0) context.issues.add(`${path}/clusters`, 'names no cluster; give at least one');
  if (handler.proxyTlvs !== undefined && handler.tunnel !== undefined)
    context.issues.add(
      `${path}/proxyTlvs`,
      'must be absent beside tunnel: what a tunnel begins with is its own',
    );
  return Object.freeze({
    name,
    shares,
    totalWeight: shares.reduce((sum, share) => sum + share.weight, 0),
    filters: parts.filters,
    accessLogs: parts.accessLogs,
    idleTimeoutMs: handler.idleTimeoutMs ?? 3_600_000,
    hashesSource: handler.hash === 'source-ip',
    maxConnectAttempts: handler.maxConnectAttempts ?? context.engine.limits.maxConnectAttempts,
    connectBackoff: handler.connectBackoff && {
      maxMs: 10 * handler.connectBackoff.baseMs,
      ...handler.connectBackoff,
    },
    maxDurationMs: handler.maxDurationMs ?? 0,
    durationJitterPercent: handler.maxDurationJitterPercent ?? 0,
    tunnel: handler.tunnel && compileTunnel(handler.tunnel, `${path}/tunnel`, context),
    logMoments: {
      start: handler.logMoments?.start ?? false,
      connected: handler.logMoments?.connected ?? false,
      everyMs: handler.logMoments?.everyMs ?? 0,
    },
    tlvs: handler.proxyTlvs && compileTlvs(handler.proxyTlvs, `${path}/proxyTlvs`, context.issues),
    generation: context.generation,
  });
}

function targetOf(
  name: string,
  cluster: string,
  ref: ClusterRef,
  subset: SubsetCriteria | undefined,
): ForwardTarget {
  return Object.freeze({
    kind: 'target',
    name,
    pattern: '',
    cluster,
    ref,
    named: undefined,
    weight: 1,
    subset,
    host: '',
    table: EMPTY_TABLE,
    requestEdits: [],
    responseEdits: [],
  });
}

function compileTlvs({ adds, where = 'absent' }: TcpProxyTlvs, path: string, issues: Issues): CompiledTlvs {
  return Object.freeze({
    where,
    adds: adds.map(({ type, ...said }, index) => ({
      type,
      value:
        'format' in said
          ? compileValue(said.format, `${path}/adds/${index}/format`, issues)
          : bytesOf(said.valueBase64),
    })),
  });
}

function compileTunnel(
  tunnel: TcpTunnel,
  path: string,
  { issues, engine }: { readonly issues: Issues; readonly engine: Engine },
): CompiledTunnel {
  const { authority, post, headers, keeps = [] } = tunnel;
  if (!authority.includes('%') && post === undefined && !isValidTarget('CONNECT', authority))
    issues.add(
      `${path}/authority`,
      `${JSON.stringify(authority)} is no host with a port, which CONNECT asks for (RFC 9110 §9.3.6)`,
    );
  if (post?.path !== undefined && !isValidTarget('POST', post.path))
    issues.add(`${path}/post/path`, `${JSON.stringify(post.path)} is no path; give one that begins with /`);
  const edits = compileEdits(headers, `${path}/headers`, issues);
  return Object.freeze({
    chain: internalChain(engine, 'tunnel'),
    authority: compileValue(authority, `${path}/authority`, issues),
    postPath: post && (post.path ?? '/'),
    edits: edits === undefined ? [] : [edits],
    keepsHead: keeps.includes('head'),
    keepsTrailers: keeps.includes('trailers'),
  });
}
