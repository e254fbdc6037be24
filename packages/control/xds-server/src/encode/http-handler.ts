import { create } from '@bufbuild/protobuf';
import type { HttpHandler } from '@tulle/model';
import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManagerSchema,
  RdsSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeAccessLogs } from './access-logs.ts';
import { encodeTracing, requestedLogs } from './client-telemetry.ts';
import { adsSource } from './config-source.ts';
import { encodeHttpFilters, filterFlags } from './filters.ts';
import type { EncodeForm } from './form.ts';
import { encodeHttp2 } from './http2.ts';
import { encodeLocalReplies } from './local-replies.ts';
import { encodeRouteConfig } from './route-config.ts';
import { duration, type Fields } from './values.ts';

const CODECS = { auto: CodecType.AUTO, http1: CodecType.HTTP1, http2: CodecType.HTTP2 } as const;

/** What the model says when nothing else is said (`HttpHandler.allowUpgrades`). Envoy's own default is none. */
const DEFAULT_UPGRADES: readonly string[] = ['websocket'];

export function encodeHttpHandler(
  handler: HttpHandler,
  listenerName: string,
  form: EncodeForm,
): HttpConnectionManager {
  const keepIdentity = handler.identityHeaders === 'keep';
  const server = handler.serverHeader ?? 'pass';
  return create(HttpConnectionManagerSchema, {
    statPrefix: handler.statPrefix ?? listenerName,
    codecType: CODECS[handler.codec ?? 'auto'],
    // The release before speaks HTTP/1.1 alone, to which these say nothing.
    ...(handler.http2 && form.release === 'this' && { http2ProtocolOptions: encodeHttp2(handler.http2) }),
    routeSpecifier: routes(handler, form),
    httpFilters: encodeHttpFilters(handler.filters, form),
    accessLog: encodeAccessLogs([...(handler.accessLogs ?? []), ...requestedLogs(form)]),
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
    // A caller's claims are not believed: Envoy drops them when the address of the connection counts.
    useRemoteAddress: !keepIdentity,
    forwardClientCertDetails: keepIdentity
      ? ForwardClientCert.ALWAYS_FORWARD_ONLY
      : ForwardClientCert.SANITIZE,
    // Tulle's engine tells the service by itself who called.
    ...(!keepIdentity && form.workloadCertificate.kind !== 'own' && tellsCaller()),
    ...(form.telemetry?.tracing && { tracing: encodeTracing(form.telemetry.tracing) }),
    ...(handler.localReplies && { localReplyConfig: encodeLocalReplies(handler.localReplies) }),
    serverHeaderTransformation: server === 'pass' ? ServerHeader.PASS_THROUGH : ServerHeader.OVERWRITE,
    ...(server !== 'pass' && { serverName: server.value }),
    // Policy and origin must read one spelling of the path.
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: EscapedSlashes.REJECT_REQUEST,
  });
}

/** `x-forwarded-client-cert` of the certificate that the caller proved, none of a caller without one. */
function tellsCaller(): Fields<typeof HttpConnectionManagerSchema> {
  return {
    forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
  };
}

/** What Envoy's message has no field for; goes into the metadata of the filter chain. */
export function httpHandlerExtras(handler: HttpHandler): Record<string, unknown> {
  const bytes = handler.maxRequestHeadersBytes;
  return {
    maxReplayBytes: handler.maxReplayBytes,
    maxRequestHeadersBytes: bytes === undefined || bytes % 1024 === 0 ? undefined : bytes,
    trustedForwarders: handler.trustedForwarders,
    pathParameters: handler.pathParameters,
    allowCustomMethods: handler.allowCustomMethods,
    targetChars: handler.targetChars,
    filters: filterFlags(handler.filters),
  };
}

function routes({ routes: given }: HttpHandler, form: EncodeForm): HttpConnectionManager['routeSpecifier'] {
  if ('virtualHosts' in given) return { case: 'routeConfig', value: encodeRouteConfig(given, form) };
  return {
    case: 'rds',
    value: create(RdsSchema, { configSource: adsSource(), routeConfigName: given.routeConfigName }),
  };
}

function common({ idleTimeoutMs, maxRequestHeadersCount }: HttpHandler): {
  commonHttpProtocolOptions?: object;
} {
  if (idleTimeoutMs === undefined && maxRequestHeadersCount === undefined) return {};
  return {
    commonHttpProtocolOptions: {
      ...(idleTimeoutMs !== undefined && { idleTimeout: duration(idleTimeoutMs) }),
      ...(maxRequestHeadersCount !== undefined && { maxHeadersCount: maxRequestHeadersCount }),
    },
  };
}
