import { create } from '@bufbuild/protobuf';
import { DEFAULT_REPLAY_BYTES, type HttpHandler } from '@tulle/model';
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  type HttpConnectionManager_HcmAccessLogOptionsSchema,
  HttpConnectionManagerSchema,
  RdsSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeAccessLogs } from './access-logs.ts';
import { requestedLogs, requestedTracing } from './client-telemetry.ts';
import { adsSource } from './config-source.ts';
import { encodeHttpFilters, filterFlags } from './filters.ts';
import type { EncodeForm } from './form.ts';
import { encodeForwarding } from './forwarding.ts';
import { encodeHttp2 } from './http2.ts';
import { encodeLocalReplies } from './local-replies.ts';
import { refuseNotSent } from './not-sent.ts';
import { encodeRouteConfig } from './route-config.ts';
import { encodeTracing, notSampledById } from './tracing.ts';
import { duration, type Fields } from './values.ts';

const CODECS = { auto: CodecType.AUTO, http1: CodecType.HTTP1, http2: CodecType.HTTP2 } as const;

/** What the model says when nothing else is said (`HttpHandler.allowUpgrades`). Envoy's own default is none. */
const DEFAULT_UPGRADES: readonly string[] = ['websocket'];

export function encodeHttpHandler(
  handler: HttpHandler,
  listenerName: string,
  form: EncodeForm,
): HttpConnectionManager {
  const server = handler.serverHeader ?? 'pass';
  const tracing = handler.tracing ?? requestedTracing(form);
  refuseNotSent(handler);
  return create(HttpConnectionManagerSchema, {
    statPrefix: handler.statPrefix ?? listenerName,
    codecType: CODECS[handler.codec ?? 'auto'],
    // The release before speaks HTTP/1.1 alone, to which these say nothing.
    ...(handler.http2 && form.release === 'this' && { http2ProtocolOptions: encodeHttp2(handler.http2) }),
    routeSpecifier: routes(handler, form),
    httpFilters: encodeHttpFilters(handler.filters, form, handler.callerControls),
    accessLog: encodeAccessLogs([...(handler.accessLogs ?? []), ...requestedLogs(form)], 'http'),
    ...(tracing && { tracing: encodeTracing(tracing) }),
    ...(tracing?.samplesAll === true && { requestIdExtension: notSampledById() }),
    ...common(handler),
    ...(handler.requestHeadTimeoutMs !== undefined && {
      requestHeadersTimeout: duration(handler.requestHeadTimeoutMs),
    }),
    ...(handler.streamIdleTimeoutMs !== undefined && {
      streamIdleTimeout: duration(handler.streamIdleTimeoutMs),
    }),
    ...(handler.maxRequestHeadersBytes !== undefined && {
      maxRequestHeadersKb: Math.ceil(handler.maxRequestHeadersBytes / 1024),
    }),
    upgradeConfigs: [
      ...(handler.allowUpgrades ?? DEFAULT_UPGRADES).map((upgradeType) => ({ upgradeType })),
      ...(handler.allowConnect === true ? [{ upgradeType: 'CONNECT' }] : []),
    ],
    ...encodeForwarding(handler, form),
    ...(form.release === 'this' && encodeLimits(handler)),
    ...(handler.logMoments && { accessLogOptions: encodeMoments(handler.logMoments) }),
    ...(handler.localReplies && { localReplyConfig: encodeLocalReplies(handler.localReplies) }),
    serverHeaderTransformation:
      server === 'pass'
        ? ServerHeader.PASS_THROUGH
        : server.ifAbsent === true
          ? ServerHeader.APPEND_IF_ABSENT
          : ServerHeader.OVERWRITE,
    ...(server !== 'pass' && { serverName: server.value }),
    // Policy and origin must read one spelling of the path.
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: SLASHES[handler.escapedSlashes ?? 'refuse'],
  });
}

function encodeMoments({
  start = false,
  tunnel = false,
  everyMs,
}: NonNullable<HttpHandler['logMoments']>): Fields<typeof HttpConnectionManager_HcmAccessLogOptionsSchema> {
  return {
    flushAccessLogOnNewRequest: start,
    flushLogOnTunnelSuccessfullyEstablished: tunnel,
    ...(everyMs !== undefined && { accessLogFlushInterval: duration(everyMs) }),
  };
}

const SLASHES = {
  refuse: EscapedSlashes.REJECT_REQUEST,
  keep: EscapedSlashes.KEEP_UNCHANGED,
  unescape: EscapedSlashes.UNESCAPE_AND_FORWARD,
  redirect: EscapedSlashes.UNESCAPE_AND_REDIRECT,
} as const;

/** What a client of the release before has no word for, and does as these defaults say. */
function encodeLimits(handler: HttpHandler): Fields<typeof HttpConnectionManagerSchema> {
  const { requestId, stripPort, via } = handler;
  return {
    ...(stripPort === 'any' && { stripPortMode: { case: 'stripAnyHostPort', value: true } as const }),
    stripMatchingHostPort: stripPort === 'matching',
    ...(requestId?.generate === false && { generateRequestId: false }),
    // Tulle believes ids from outside unless it is told otherwise.
    preserveExternalRequestId: requestId?.external !== 'replace',
    alwaysSetRequestIdInResponse: requestId?.inResponse ?? false,
    ...(via !== undefined && { via }),
    ...(handler.requestTimeoutMs !== undefined && { requestTimeout: duration(handler.requestTimeoutMs) }),
    ...(handler.delayedCloseMs !== undefined && { delayedCloseTimeout: duration(handler.delayedCloseMs) }),
    ...(handler.drainTimeoutMs !== undefined && { drainTimeout: duration(handler.drainTimeoutMs) }),
    ...(handler.drainTimeoutJitterPercent !== undefined && {
      drainTimeoutJitter: { value: handler.drainTimeoutJitterPercent },
    }),
    httpProtocolOptions: {
      acceptHttp10: handler.http10 !== 'refuse',
      ...(handler.defaultHost !== undefined && { defaultHostForHttp10: handler.defaultHost }),
    },
  };
}

/** What Envoy's message has no field for; goes into the metadata of the filter chain. */
export function httpHandlerExtras(handler: HttpHandler, { release }: EncodeForm): Record<string, unknown> {
  const bytes = handler.maxRequestHeadersBytes;
  return {
    // Envoy's fields come closest, and say something else.
    identityHeaders:
      release === 'this' && handler.forwarding === undefined
        ? (handler.identityHeaders ?? 'strip')
        : undefined,
    maxReplayBytes: handler.maxReplayBytes ?? DEFAULT_REPLAY_BYTES,
    maxRequestHeadersBytes: bytes === undefined || bytes % 1024 === 0 ? undefined : bytes,
    trustedForwarders: handler.trustedForwarders,
    pathParameters: handler.pathParameters,
    allowCustomMethods: handler.allowCustomMethods,
    targetChars: handler.targetChars,
    // Envoy looks at the caller's bytes alone, and waits for them; the release before does not know it.
    otherwise: release === 'this' ? handler.otherwise : undefined,
    filters: filterFlags(handler.filters),
    connectionFilters: filterFlags(handler.connectionFilters ?? []),
  };
}

function routes({ routes: given }: HttpHandler, form: EncodeForm): HttpConnectionManager['routeSpecifier'] {
  if ('virtualHosts' in given) return { case: 'routeConfig', value: encodeRouteConfig(given, form) };
  return {
    case: 'rds',
    value: create(RdsSchema, { configSource: adsSource(), routeConfigName: given.routeConfigName }),
  };
}

const UNDERSCORES = {
  allow: Underscores.ALLOW,
  refuse: Underscores.REJECT_REQUEST,
  drop: Underscores.DROP_HEADER,
} as const;

function common(handler: HttpHandler): { commonHttpProtocolOptions?: object } {
  const { idleTimeoutMs, maxRequestHeadersCount, maxStreamDurationMs, maxConnectionDurationMs } = handler;
  const { maxRequestsPerConnection, maxConnectionDurationJitterPercent: jitter, underscores } = handler;
  const options = {
    ...(idleTimeoutMs !== undefined && { idleTimeout: duration(idleTimeoutMs) }),
    ...(maxRequestHeadersCount !== undefined && { maxHeadersCount: maxRequestHeadersCount }),
    ...(maxStreamDurationMs !== undefined && { maxStreamDuration: duration(maxStreamDurationMs) }),
    ...(maxConnectionDurationMs !== undefined && {
      maxConnectionDuration: duration(maxConnectionDurationMs),
    }),
    ...(jitter !== undefined && { maxConnectionDurationJitter: { value: jitter } }),
    ...(maxRequestsPerConnection !== undefined && { maxRequestsPerConnection }),
    ...(underscores !== undefined && { headersWithUnderscoresAction: UNDERSCORES[underscores] }),
  };
  return Object.keys(options).length === 0 ? {} : { commonHttpProtocolOptions: options };
}
