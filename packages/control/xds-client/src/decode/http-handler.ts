import { isMessage } from '@bufbuild/protobuf';
import { DEFAULT_REPLAY_BYTES, type HttpHandler, type RequestIds } from '@tulle/model';
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { decodeAccessLogs } from './access-logs.ts';
import { needFrom } from './config-source.ts';
import { canonicalName } from './resource-name.ts';
import { UuidRequestIdConfigSchema } from '@tulle/xds-proto/envoy/extensions/request_id/uuid/v3/uuid';
import { decodeCallerControls } from './caller-controls.ts';
import type { DecodeContext } from './context.ts';
import { decodeEarlyEdits } from './early-edits.ts';
import type { Extras } from './extras.ts';
import { decodeHttpFilters, readFlags } from './filters.ts';
import { decodeForwarding } from './forwarding.ts';
import { decodeHttp2 } from './http2.ts';
import { checkKeyFormat } from './key-format.ts';
import { decodeLocalReplies } from './local-replies.ts';
import { decodeHttpLogMoments } from './log-moments.ts';
import { percentValue } from './percent.ts';
import { decodeRouteConfig } from './route-config.ts';
import { decodeScopedRoutes } from './scoped-routes.ts';
import { decodeTracing } from './tracing.ts';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { milliseconds, present } from './values.ts';

/** Of Envoy's `per_connection_buffer_limit_bytes`, where it is not set. */
const BUFFER_LIMIT_BYTES = 1_048_576;

/**
 * @param extras metadata of the filter chain
 * @param path of the HttpConnectionManager
 */
export function decodeHttpHandler(
  context: DecodeContext,
  manager: HttpConnectionManager,
  listener: Pick<Listener, 'name' | 'perConnectionBufferLimitBytes'>,
  extras: Extras,
  path: string,
  extrasPath: string,
): HttpHandler {
  checkFixedBehaviour(context, manager, path);
  const common = manager.commonHttpProtocolOptions;
  const http1 = manager.httpProtocolOptions;
  const own = oneOf(context, extras, 'identityHeaders', ['strip', 'keep'], extrasPath);
  const flags = readFlags(context, extras, 'filters', extrasPath);
  const { chain, router } = decodeHttpFilters(context, manager.httpFilters, flags, `${path}.http_filters`);
  const handler: HttpHandler = present({
    kind: 'http' as const,
    statPrefix:
      manager.statPrefix === listener.name || manager.statPrefix === '' ? undefined : manager.statPrefix,
    ...decodeRoutes(context, manager, path),
    ...chain,
    codec: codecOf(manager.codecType),
    http2: decodeHttp2(context, manager.http2ProtocolOptions, `${path}.http2_protocol_options`),
    requestHeadTimeoutMs: milliseconds(manager.requestHeadersTimeout),
    idleTimeoutMs: milliseconds(common?.idleTimeout),
    streamIdleTimeoutMs: milliseconds(manager.streamIdleTimeout),
    maxRequestHeadersBytes:
      extras.number('maxRequestHeadersBytes') ??
      (manager.maxRequestHeadersKb === undefined ? undefined : manager.maxRequestHeadersKb * 1024),
    maxRequestHeadersCount: common?.maxHeadersCount,
    maxReplayBytes: decodeReplay(extras, listener),
    ...decodeUpgrades(manager),
    ...decodeForwarding(context, manager, own, path),
    trustedForwarders: decodeForwarders(context, extras, extrasPath),
    escapedSlashes: SLASHES.get(manager.pathWithEscapedSlashesAction),
    stripPort: decodeStripPort(manager),
    requestId: decodeRequestIds(manager, own !== undefined),
    via: manager.via === '' ? undefined : manager.via,
    requestTimeoutMs: milliseconds(manager.requestTimeout),
    maxStreamDurationMs: milliseconds(common?.maxStreamDuration),
    delayedCloseMs: milliseconds(manager.delayedCloseTimeout),
    drainTimeoutMs: milliseconds(manager.drainTimeout),
    drainTimeoutJitterPercent: percentValue(
      context,
      manager.drainTimeoutJitter,
      `${path}.drain_timeout_jitter`,
    ),
    maxConnectionDurationMs: milliseconds(common?.maxConnectionDuration),
    maxConnectionDurationJitterPercent: percentValue(
      context,
      common?.maxConnectionDurationJitter,
      `${path}.common_http_protocol_options.max_connection_duration_jitter`,
    ),
    maxRequestsPerConnection: common?.maxRequestsPerConnection,
    underscores: UNDERSCORES.get(common?.headersWithUnderscoresAction ?? Underscores.ALLOW),
    http10:
      http1?.acceptHttp10 === true || (own !== undefined && http1 === undefined)
        ? undefined
        : ('refuse' as const),
    defaultHost:
      http1 === undefined || http1.defaultHostForHttp10 === '' ? undefined : http1.defaultHostForHttp10,
    pathParameters: oneOf(context, extras, 'pathParameters', ['keep', 'strip', 'refuse'], extrasPath),
    // Its parts are checked by the model's schema, as everything is, before anything is applied.
    otherwise: extras.object('otherwise') as HttpHandler['otherwise'],
    allowCustomMethods:
      extras.flag('allowCustomMethods') ?? (http1?.allowCustomMethods === true ? true : undefined),
    targetChars: oneOf(context, extras, 'targetChars', ['whatwg', 'rfc3986'], extrasPath),
    earlyEdits: decodeEarlyEdits(
      context,
      manager.earlyHeaderMutationExtensions,
      `${path}.early_header_mutation_extensions`,
    ),
    callerControls: router && decodeCallerControls(context, router.message, router.path),
    localReplies: decodeLocalReplies(context, manager.localReplyConfig, path),
    tracing: decodeTracing(
      context,
      manager.tracing,
      `${path}.tracing`,
      // The older of two places.
      { spawns: router?.message.startChildSpan === true, samplesAll: samplesAll(context, manager, path) },
    ),
    accessLogs: decodeAccessLogs(context, manager.accessLog, `${path}.access_log`, 'http'),
    logMoments: decodeHttpLogMoments(context, manager, path),
    serverHeader: decodeServerHeader(context, manager, path),
  });
  flags.end();
  return handler;
}

function codecOf(type: CodecType): HttpHandler['codec'] | undefined {
  if (type === CodecType.HTTP1) return 'http1';
  return type === CodecType.HTTP2 ? 'http2' : undefined;
}

/** What the proxy does in one way only. */
function checkFixedBehaviour(context: DecodeContext, manager: HttpConnectionManager, path: string): void {
  if (manager.codecType === CodecType.HTTP3)
    context.refuse(`${path}.codec_type`, 'must be AUTO, HTTP1 or HTTP2');
  if (manager.normalizePath === false)
    context.refuse(`${path}.normalize_path`, 'must be true: policy and origin read one spelling of a path');
  const http1 = manager.httpProtocolOptions;
  const at = `${path}.http_protocol_options`;
  if (http1?.allowAbsoluteUrl === false)
    context.refuse(
      `${at}.allow_absolute_url`,
      'must be true: a proxy takes the absolute form (RFC 9112 §3.2.2)',
    );
  if (http1?.allowChunkedLength)
    context.refuse(
      `${at}.allow_chunked_length`,
      'must be false: a message with both lengths is how requests are smuggled',
    );
  if (http1?.overrideStreamErrorOnInvalidHttpMessage === true)
    context.refuse(
      `${at}.override_stream_error_on_invalid_http_message`,
      'must be false: behind what is no HTTP nothing on the connection can be told apart',
    );
  checkKeyFormat(context, http1, `${at}.header_key_format`);
  if (manager.streamErrorOnInvalidHttpMessage === true && manager.codecType !== CodecType.HTTP2)
    context.refuse(
      `${path}.stream_error_on_invalid_http_message`,
      'must be false: behind what is no HTTP/1 nothing on the connection can be told apart',
    );
}

/** Ids are UUIDs here. @returns whether the percentages of tracing, which Envoy applies to ids, do not count */
function samplesAll(
  context: DecodeContext,
  { requestIdExtension }: HttpConnectionManager,
  path: string,
): boolean {
  if (requestIdExtension === undefined) return false;
  const here = `${path}.request_id_extension.typed_config`;
  const message = context.open(requestIdExtension.typedConfig, here);
  if (message === undefined) return false;
  if (isMessage(message, UuidRequestIdConfigSchema)) return message.useRequestIdForTraceSampling === false;
  context.refuse(here, `must be a UuidRequestIdConfig, not ${message.$typeName}`);
  return false;
}

/** Envoy keeps them where nothing is said; here one beside a dot segment is refused all the same. */
const SLASHES: ReadonlyMap<EscapedSlashes, NonNullable<HttpHandler['escapedSlashes']>> = new Map([
  [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT, 'keep'],
  [EscapedSlashes.KEEP_UNCHANGED, 'keep'],
  [EscapedSlashes.UNESCAPE_AND_FORWARD, 'unescape'],
  [EscapedSlashes.UNESCAPE_AND_REDIRECT, 'redirect'],
] as const);

const UNDERSCORES: ReadonlyMap<Underscores, NonNullable<HttpHandler['underscores']>> = new Map([
  [Underscores.REJECT_REQUEST, 'refuse'],
  [Underscores.DROP_HEADER, 'drop'],
] as const);

function decodeStripPort(manager: HttpConnectionManager): HttpHandler['stripPort'] | undefined {
  if (manager.stripPortMode.case === 'stripAnyHostPort' && manager.stripPortMode.value) return 'any';
  return manager.stripMatchingHostPort ? 'matching' : undefined;
}

/** @param own it comes from Tulle's own control plane, whose default is to believe ids */
function decodeRequestIds(manager: HttpConnectionManager, own: boolean): RequestIds | undefined {
  const { generateRequestId, preserveExternalRequestId: keep, alwaysSetRequestIdInResponse } = manager;
  // Only an edge tells what comes from outside.
  const atEdge = own || manager.useRemoteAddress === true;
  const replaces = atEdge && !keep && generateRequestId !== false;
  const ids: RequestIds = present({
    generate: generateRequestId === false ? false : undefined,
    external: replaces ? ('replace' as const) : undefined,
    inResponse: alwaysSetRequestIdInResponse ? true : undefined,
  });
  return Object.keys(ids).length === 0 ? undefined : ids;
}

function decodeForwarders(
  context: DecodeContext,
  extras: Extras,
  path: string,
): HttpHandler['trustedForwarders'] {
  const given = extras.list('trustedForwarders');
  const ids = given?.filter((id) => typeof id === 'string');
  if (ids?.length !== given?.length) context.refuse(`${path}.trustedForwarders`, 'must be a list of strings');
  return ids;
}

/** One of a few words. */
function oneOf<Word extends string>(
  context: DecodeContext,
  extras: Extras,
  key: string,
  words: readonly Word[],
  path: string,
): Word | undefined {
  const given = extras.text(key);
  const word = words.find((one) => one === given);
  if (given !== undefined && word === undefined)
    context.refuse(`${path}.${key}`, `must be one of ${words.join(', ')}`);
  return word;
}

function decodeRoutes(
  context: DecodeContext,
  { routeSpecifier }: HttpConnectionManager,
  path: string,
): Pick<HttpHandler, 'routes' | 'scopes'> {
  if (routeSpecifier.case === 'scopedRoutes')
    return decodeScopedRoutes(context, routeSpecifier.value, `${path}.scoped_routes`);
  if (routeSpecifier.case === 'routeConfig')
    return { routes: decodeRouteConfig(context, routeSpecifier.value, `${path}.route_config`) };
  if (routeSpecifier.case === 'rds') {
    const { configSource } = routeSpecifier.value;
    const routeConfigName = canonicalName(routeSpecifier.value.routeConfigName);
    needFrom(context, configSource, `${path}.rds.config_source`, 'route', routeConfigName);
    if (routeConfigName === '') context.refuse(`${path}.rds.route_config_name`, 'is missing');
    return { routes: { routeConfigName } };
  }
  context.refuse(path, 'names no routes: give rds, route_config or scoped_routes');
  return { routes: { routeConfigName: '' } };
}

/** Written out in both directions: what is not listed is refused. */
function decodeUpgrades({
  upgradeConfigs,
}: HttpConnectionManager): Pick<HttpHandler, 'allowUpgrades' | 'allowConnect'> {
  const enabled = upgradeConfigs.filter((one) => one.enabled !== false).map((one) => one.upgradeType);
  const isConnect = (type: string): boolean => type.toUpperCase() === 'CONNECT';
  return {
    allowUpgrades: enabled.filter((type) => !isConnect(type)).map((type) => type.toLowerCase()),
    ...(enabled.some(isConnect) && { allowConnect: true }),
  };
}

function decodeServerHeader(
  context: DecodeContext,
  manager: HttpConnectionManager,
  path: string,
): HttpHandler['serverHeader'] | undefined {
  switch (manager.serverHeaderTransformation) {
    case ServerHeader.PASS_THROUGH:
      return undefined;
    case ServerHeader.OVERWRITE:
      return { value: manager.serverName === '' ? 'envoy' : manager.serverName }; // the field's default
    case ServerHeader.APPEND_IF_ABSENT:
      return { value: manager.serverName === '' ? 'envoy' : manager.serverName, ifAbsent: true };
    default:
      context.refuse(`${path}.server_header_transformation`, `must be one of Envoy's`);
      return undefined;
  }
}

/** As in Envoy; Tulle's own control plane always says how much, also what is said by nothing in the model (docs/decisions/034). */
function decodeReplay(
  extras: Extras,
  { perConnectionBufferLimitBytes = BUFFER_LIMIT_BYTES }: Pick<Listener, 'perConnectionBufferLimitBytes'>,
): number | undefined {
  const said = extras.number('maxReplayBytes') ?? perConnectionBufferLimitBytes;
  return said === DEFAULT_REPLAY_BYTES ? undefined : said;
}
