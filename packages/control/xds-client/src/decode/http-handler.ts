import type { HttpHandler } from '@tulle/model';
import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { decodeAccessLogs } from './access-logs.ts';
import { needFrom } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import type { Extras } from './extras.ts';
import { decodeHttpFilters, readFlags } from './filters.ts';
import { decodeHttp2 } from './http2.ts';
import { decodeLocalReplies } from './local-replies.ts';
import { decodeRouteConfig } from './route-config.ts';
import { milliseconds, present } from './values.ts';

/**
 * @param extras metadata of the filter chain
 * @param path of the HttpConnectionManager
 */
export function decodeHttpHandler(
  context: DecodeContext,
  manager: HttpConnectionManager,
  listenerName: string,
  extras: Extras,
  path: string,
  extrasPath: string,
): HttpHandler {
  checkFixedBehaviour(context, manager, path);
  const common = manager.commonHttpProtocolOptions;
  if (common?.maxRequestsPerConnection !== undefined) {
    context.refuse(
      `${path}.common_http_protocol_options.max_requests_per_connection`,
      'is honoured for clusters only',
    );
  }
  const flags = readFlags(context, extras, 'filters', extrasPath);
  const handler: HttpHandler = present({
    kind: 'http' as const,
    statPrefix:
      manager.statPrefix === listenerName || manager.statPrefix === '' ? undefined : manager.statPrefix,
    routes: decodeRoutes(context, manager, path),
    filters: decodeHttpFilters(context, manager.httpFilters, flags, `${path}.http_filters`),
    codec: codecOf(manager.codecType),
    http2: decodeHttp2(context, manager.http2ProtocolOptions, `${path}.http2_protocol_options`),
    requestHeadTimeoutMs: milliseconds(manager.requestHeadersTimeout),
    idleTimeoutMs: milliseconds(common?.idleTimeout),
    streamIdleTimeoutMs: milliseconds(manager.streamIdleTimeout),
    maxRequestHeadersBytes:
      extras.number('maxRequestHeadersBytes') ??
      (manager.maxRequestHeadersKb === undefined ? undefined : manager.maxRequestHeadersKb * 1024),
    maxRequestHeadersCount: common?.maxHeadersCount,
    maxReplayBytes: extras.number('maxReplayBytes'),
    ...decodeUpgrades(manager),
    identityHeaders:
      manager.forwardClientCertDetails === ForwardClientCert.ALWAYS_FORWARD_ONLY
        ? ('keep' as const)
        : undefined,
    trustedForwarders: decodeForwarders(context, extras, extrasPath),
    pathParameters: oneOf(context, extras, 'pathParameters', ['keep', 'strip', 'refuse'], extrasPath),
    allowCustomMethods: extras.flag('allowCustomMethods'),
    targetChars: oneOf(context, extras, 'targetChars', ['whatwg', 'rfc3986'], extrasPath),
    localReplies: decodeLocalReplies(context, manager.localReplyConfig, path),
    accessLogs: decodeAccessLogs(context, manager.accessLog, `${path}.access_log`),
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
    context.refuse(`${path}.normalize_path`, 'must be true; policy and origin read one spelling');
  const slashes = manager.pathWithEscapedSlashesAction;
  if (
    slashes !== EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT &&
    slashes !== EscapedSlashes.REJECT_REQUEST
  ) {
    context.refuse(`${path}.path_with_escaped_slashes_action`, 'must be REJECT_REQUEST');
  }
  const details = manager.forwardClientCertDetails;
  if (details !== ForwardClientCert.SANITIZE && details !== ForwardClientCert.ALWAYS_FORWARD_ONLY) {
    context.refuse(`${path}.forward_client_cert_details`, 'must be SANITIZE or ALWAYS_FORWARD_ONLY');
  }
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
): HttpHandler['routes'] {
  if (routeSpecifier.case === 'routeConfig')
    return decodeRouteConfig(context, routeSpecifier.value, `${path}.route_config`);
  if (routeSpecifier.case === 'rds') {
    const { configSource, routeConfigName } = routeSpecifier.value;
    needFrom(context, configSource, `${path}.rds.config_source`, 'route', routeConfigName);
    if (routeConfigName === '') context.refuse(`${path}.rds.route_config_name`, 'is missing');
    return { routeConfigName };
  }
  if (routeSpecifier.case === undefined) context.refuse(path, 'names no routes: give rds or route_config');
  return { routeConfigName: '' }; // scoped_routes are reported by the field walk
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
    default:
      context.refuse(`${path}.server_header_transformation`, 'must be PASS_THROUGH or OVERWRITE');
      return undefined;
  }
}
