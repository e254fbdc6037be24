import { findInvalidValue } from '@tulle/fields';
import { normalizeHost } from '@tulle/match';
import {
  DEFAULT_REPLAY_BYTES,
  type HttpHandler,
  type Listener,
  type OnDemandClusters,
  type RouteConfig,
} from '@tulle/model';
import { serverSessionOptions } from '../http2/session-options.ts';
import type { EngineLimits } from '../limits.ts';
import { compileLocalReplies } from './compile-local-replies.ts';
import type { CompiledOnDemand, HttpSettings } from './compiled.ts';
import { compileForwarding } from './compile-forwarding.ts';
import { identityPatternFault, IdentityPatterns } from './identity-patterns.ts';
import { compileEdits } from './compile-edits.ts';
import type { Issues } from './issues.ts';

/** Fills in the defaults of an HTTP handler, and checks what its schema does not. @param path JSON pointer of its chain */
export function compileSettings(
  handler: HttpHandler,
  { name: listenerName, direction }: Pick<Listener, 'name' | 'direction'>,
  routes: RouteConfig | undefined,
  path: string,
  { limits, issues }: { readonly limits: EngineLimits; readonly issues: Issues },
): HttpSettings {
  const codecLimits = Object.freeze({
    maxHeadBytes: handler.maxRequestHeadersBytes ?? 61_440,
    maxHeaders: handler.maxRequestHeadersCount ?? 100,
    maxUriBytes: limits.maxUriBytes,
    maxChunkExtensionBytes: limits.maxChunkExtensionBytes,
    maxTrailerBytes: limits.maxTrailerBytes,
    maxTrailers: limits.maxTrailers,
    allowCustomMethods: handler.allowCustomMethods ?? false,
    targetChars: handler.targetChars ?? 'whatwg',
  });
  return Object.freeze({
    statPrefix: handler.statPrefix ?? listenerName,
    requestHeadTimeoutMs: handler.requestHeadTimeoutMs ?? 10_000,
    idleTimeoutMs: handler.idleTimeoutMs ?? 3_600_000,
    streamIdleTimeoutMs: handler.streamIdleTimeoutMs ?? 300_000,
    codecLimits,
    codec: handler.codec ?? 'auto',
    otherwise: (handler.otherwise?.clusters ?? []).map(({ name }) => name),
    http2: serverSessionOptions(handler.http2, codecLimits),
    http2Keepalive: handler.http2?.keepalive,
    maxReplayBytes: handler.maxReplayBytes ?? DEFAULT_REPLAY_BYTES,
    allowUpgrades: handler.allowUpgrades ?? ['websocket'],
    allowConnect: handler.allowConnect ?? false,
    stripIdentityHeaders: (handler.identityHeaders ?? 'strip') === 'strip',
    trustedForwarders: compileForwarders(handler, path, issues),
    forwarding: compileForwarding(handler, path, issues),
    earlyEdits: compileEarlyEdits(handler, `${path}/handler/earlyEdits`, issues),
    internalOnly: internalOnlyHeaders(routes),
    onDemand: compileOnDemand(handler, routes),
    pathParameters: handler.pathParameters ?? 'keep',
    escapedSlashes: handler.escapedSlashes ?? 'refuse',
    stripPort: handler.stripPort,
    requestId: {
      generate: handler.requestId?.generate ?? true,
      replaceExternal: handler.requestId?.external === 'replace',
      inResponse: handler.requestId?.inResponse ?? false,
    },
    via: checkValue(handler.via ?? '', `${path}/handler/via`, issues),
    requestTimeoutMs: handler.requestTimeoutMs ?? 0,
    maxStreamDurationMs: handler.maxStreamDurationMs ?? 0,
    delayedCloseMs: handler.delayedCloseMs,
    drainTimeoutMs: handler.drainTimeoutMs,
    drainJitterPercent: handler.drainTimeoutJitterPercent ?? 0,
    maxConnectionDurationMs: handler.maxConnectionDurationMs ?? 0,
    connectionJitterPercent: handler.maxConnectionDurationJitterPercent ?? 0,
    maxRequestsPerConnection: handler.maxRequestsPerConnection ?? 0,
    underscores: handler.underscores ?? 'allow',
    acceptHttp10: handler.http10 !== 'refuse',
    defaultHost: compileDefaultHost(handler.defaultHost, `${path}/handler/defaultHost`, issues),
    callerControls: handler.callerControls && {
      checks: handler.callerControls.checks ?? [],
      timeout: handler.callerControls.timeout ?? false,
    },
    localReplies: compileLocalReplies(handler.localReplies, `${path}/handler/localReplies`, issues),
    decorates: handler.tracing === undefined ? undefined : direction === 'outbound' ? 'endpoint' : 'caller',
    logMoments: compileMoments(handler),
    serverHeader: typeof handler.serverHeader === 'object' ? handler.serverHeader.value : undefined,
    serverHeaderIfAbsent: typeof handler.serverHeader === 'object' && handler.serverHeader.ifAbsent === true,
  });
}

function compileMoments({ accessLogs = [], logMoments }: HttpHandler): HttpSettings['logMoments'] {
  if (logMoments === undefined || accessLogs.length === 0) return undefined;
  const { start = false, tunnel = false, everyMs = 0 } = logMoments;
  return { start, tunnel, everyMs };
}

function compileForwarders(
  { trustedForwarders = [] }: HttpHandler,
  path: string,
  issues: Issues,
): IdentityPatterns | undefined {
  for (const [index, pattern] of trustedForwarders.entries()) {
    const fault = identityPatternFault(pattern);
    if (fault !== '') issues.add(`${path}/handler/trustedForwarders/${index}`, fault);
  }
  return trustedForwarders.length === 0 ? undefined : new IdentityPatterns(trustedForwarders);
}

function compileEarlyEdits(
  { earlyEdits = [] }: HttpHandler,
  path: string,
  issues: Issues,
): HttpSettings['earlyEdits'] {
  const all = earlyEdits.flatMap((edits, index) => compileEdits(edits, `${path}/${index}`, issues) ?? []);
  return all.length === 0 ? null : all;
}

export function internalOnlyHeaders(routes: RouteConfig | undefined): readonly string[] | null {
  const list = routes?.internalOnlyHeaders ?? [];
  return list.length === 0 ? null : list.map((name) => name.toLowerCase());
}

function checkValue(value: string, path: string, issues: Issues): string {
  if (findInvalidValue(value) >= 0)
    issues.add(path, `${JSON.stringify(value)} has a character that no field value may have (RFC 9110 §5.5)`);
  return value;
}

function compileDefaultHost(host: string | undefined, path: string, issues: Issues): string {
  if (host === undefined) return '';
  const normal = normalizeHost(host);
  if (normal === '') issues.add(path, `${JSON.stringify(host)} is no host name`);
  return normal;
}

function compileOnDemand(
  { onDemand }: HttpHandler,
  routes: RouteConfig | undefined,
): HttpSettings['onDemand'] {
  if (onDemand === undefined) return undefined;
  const { clusters } = onDemand;
  return {
    routes: routes?.discoversHosts === true ? routes.name : '',
    clusters: clusters && compileOnDemandClusters(clusters),
  };
}

/** Fills in Envoy's default. */
export function compileOnDemandClusters({ source, timeoutMs = 5_000 }: OnDemandClusters): CompiledOnDemand {
  return { source, timeoutMs };
}
