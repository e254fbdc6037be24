import { patternsOfOthers } from '@tulle/match';
import {
  EXT_AUTHZ_KEPT_HEADERS,
  EXT_AUTHZ_SENT_HEADERS,
  type ExtAuthzBody,
  type ExtAuthzClusterService,
  type ExtAuthzFilterConfig,
  type ExtAuthzGrpcService,
  type ExtAuthzHttpService,
  type ExtAuthzRouteConfig,
} from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { DataSource } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { GrpcService } from '@tulle/xds-proto/envoy/config/core/v3/grpc_service';
import type {
  BufferSettings,
  ExtAuthz,
  ExtAuthzPerRoute,
  HttpService,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz';
import type { ListStringMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import { decodeMetadataMatch, METADATA_WRITERS } from './authz/expression.ts';
import type { DecodeContext } from './context.ts';
import { decodeNames } from './field-names.ts';
import { absoluteUri, NO_HOST } from './http-uri.ts';
import { percentOf } from './percent.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeExtAuthz(
  context: DecodeContext,
  message: ExtAuthz,
  path: string,
): ExtAuthzFilterConfig {
  const { services, statusOnError } = message;
  if (services.case === 'grpcService' && message.transportApiVersion !== ApiVersion.V3)
    context.refuse(`${path}.transport_api_version`, 'must be V3');
  if (message.enableDynamicMetadataIngestion === false)
    context.refuse(`${path}.enable_dynamic_metadata_ingestion`, 'must be true');
  if (message.clearRouteCache && message.withRequestBody)
    context.refuse(
      `${path}.clear_route_cache`,
      'must be false beside with_request_body: a route is chosen again before a body is read, or not at all',
    );
  let service: ExtAuthzFilterConfig['service'] = { grpc: { target: '' } };
  let timeoutMs: number | undefined;
  if (services.case === 'httpService') {
    service = decodeHttp(context, services.value, message.allowedHeaders, path);
    timeoutMs = milliseconds(services.value.serverUri?.timeout);
  } else if (services.case === 'grpcService') {
    service = decodeGrpc(context, services.value, message.allowedHeaders, path);
    timeoutMs = milliseconds(services.value.timeout);
  } else context.refuse(path, 'names no service: give http_service or grpc_service');
  const status = statusOnError?.code ?? 0;
  if (status !== 0 && (status < 400 || status > 599))
    context.refuse(`${path}.status_on_error.code`, `must be 400 to 599, but is ${status}`);
  if (timeoutMs !== undefined && (timeoutMs < 1 || timeoutMs > 60_000))
    context.refuse(path, `the service's timeout must be 0.001 s to 60 s, but is ${timeoutMs / 1000} s`);
  return present({
    service,
    timeoutMs,
    failureMode: message.failureModeAllow ? ('allow' as const) : undefined,
    statusOnError: status === 0 ? undefined : status,
    body: decodeBuffer(message.withRequestBody),
    // A service over HTTP is not shown it in Envoy either.
    tellCertificate: message.includePeerCertificate && services.case === 'grpcService' ? true : undefined,
    withheldHeaders: filled(
      decodeNames(context, message.disallowedHeaders, `${path}.disallowed_headers`) ?? [],
    ),
    metadataNamespaces: filled(message.metadataContextNamespaces),
    when:
      message.filterEnabledMetadata &&
      decodeMetadataMatch(
        context,
        message.filterEnabledMetadata,
        `${path}.filter_enabled_metadata`,
        METADATA_WRITERS,
      ),
    percent: message.filterEnabled && percentOf(message.filterEnabled.defaultValue),
    otherwise: message.denyAtDisable?.defaultValue === true ? ('deny' as const) : undefined,
    markFailureAllowed: message.failureModeAllowHeaderAdd ? true : undefined,
    rematch: message.clearRouteCache ? true : undefined,
    rematchHeaders: message.clearRouteCache ? filled(message.clearRouteCacheHeaders) : undefined,
    maxDeniedBodyBytes: message.maxDeniedResponseBodyBytes || undefined,
    // Over HTTP lines go as they came in any case.
    rawHeaders: message.encodeRawHeaders && services.case === 'grpcService' ? true : undefined,
  });
}

/** @returns `null` where the filter is off */
export function decodeExtAuthzRoute(
  context: DecodeContext,
  { override }: ExtAuthzPerRoute,
  path: string,
): ExtAuthzRouteConfig | null {
  if (override.case === 'disabled') return override.value ? null : {};
  if (override.case === undefined) {
    context.refuse(path, 'says nothing: give disabled or check_settings');
    return {};
  }
  const { contextExtensions, withRequestBody, disableRequestBodyBuffering } = override.value;
  if (withRequestBody && disableRequestBodyBuffering)
    context.refuse(`${path}.check_settings`, 'has with_request_body and disable_request_body_buffering');
  return present({
    contextExtensions: Object.keys(contextExtensions).length === 0 ? undefined : contextExtensions,
    body: disableRequestBodyBuffering ? null : decodeBuffer(withRequestBody),
  });
}

function decodeBuffer(settings: BufferSettings | undefined): ExtAuthzBody | undefined {
  return (
    settings &&
    present({
      maxBytes: settings.maxRequestBytes,
      partial: settings.allowPartialMessage ? true : undefined,
    })
  );
}

function decodeHttp(
  context: DecodeContext,
  {
    serverUri,
    pathPrefix,
    pathOverride,
    authorizationRequest: request,
    authorizationResponse: response,
  }: HttpService,
  allowedHeaders: ListStringMatcher | undefined,
  path: string,
): ExtAuthzHttpService {
  const here = `${path}.http_service`;
  const { uri = '', httpUpstreamType } = serverUri ?? {};
  const [origin] = /^https?:\/\/[^/?#]+/.exec(absoluteUri(uri)) ?? [];
  if (origin === undefined) context.refuse(`${here}.server_uri.uri`, NO_HOST);
  if (httpUpstreamType?.case !== 'cluster') context.refuse(`${here}.server_uri.cluster`, 'is missing');
  if (pathOverride !== '' && pathPrefix !== '')
    context.refuse(`${here}.path_override`, 'must not stand beside path_prefix');
  if (pathOverride !== '' && !/^\/[^#\s]*$/.test(pathOverride))
    context.refuse(`${here}.path_override`, `must begin with /, but is ${JSON.stringify(pathOverride)}`);
  const allowed =
    decodeNames(context, allowedHeaders, `${path}.allowed_headers`) ??
    decodeNames(context, request?.allowedHeaders, `${here}.authorization_request.allowed_headers`) ??
    [];
  // Tulle's own list begins with what it sends beside it; else all is as Envoy does it.
  const own = EXT_AUTHZ_SENT_HEADERS.every((name, i) => allowed[i] === name);
  const upstream = response?.allowedUpstreamHeaders;
  const list = (matcher: ListStringMatcher | undefined, field: string): readonly string[] | undefined =>
    decodeNames(context, matcher, `${here}.authorization_response.${field}`);
  return {
    http: present({
      url: `${origin ?? ''}${pathPrefix}`,
      target: pathOverride || undefined,
      cluster: httpUpstreamType?.case === 'cluster' ? httpUpstreamType.value : '',
      requestHeaders: filled(own ? allowed.slice(EXT_AUTHZ_SENT_HEADERS.length) : allowed),
      onlyListed: own ? undefined : true,
      onlyOk: own ? undefined : true,
      addedHeaders: filled(
        (request?.headersToAdd ?? []).map((header) => ({
          name: header.key,
          value: header.rawValue.length > 0 ? Buffer.from(header.rawValue).toString('latin1') : header.value,
        })),
      ),
      upstreamHeaders: isAll(upstream) ? ['*'] : filled(list(upstream, 'allowed_upstream_headers') ?? []),
      upstreamHeadersAppended: filled(
        list(response?.allowedUpstreamHeadersToAppend, 'allowed_upstream_headers_to_append') ?? [],
      ),
      metadataHeaders: filled(
        list(response?.dynamicMetadataFromHeaders, 'dynamic_metadata_from_headers') ?? [],
      ),
      // Without a list every header, and with one these two in any case.
      clientHeaders: response?.allowedClientHeaders
        ? [
            ...new Set([
              ...(list(response.allowedClientHeaders, 'allowed_client_headers') ?? []),
              'www-authenticate',
              'location',
            ]),
          ]
        : ['*'],
      clientHeadersOnSuccess: filled(
        list(response?.allowedClientHeadersOnSuccess, 'allowed_client_headers_on_success') ?? [],
      ),
    }),
  };
}

/** Everything that may be given on, as Tulle writes it: no other pattern is read. */
function isAll(list: ListStringMatcher | undefined): boolean {
  const { patterns = [] } = list ?? {};
  return (
    patterns.length === EVERY_OTHER.length &&
    patterns.every(
      ({ matchPattern: { case: kind, value } }, i) => kind === 'safeRegex' && value.regex === EVERY_OTHER[i],
    )
  );
}

const EVERY_OTHER: readonly string[] = patternsOfOthers(EXT_AUTHZ_KEPT_HEADERS);

function decodeGrpc(
  context: DecodeContext,
  { targetSpecifier }: GrpcService,
  allowedHeaders: ListStringMatcher | undefined,
  path: string,
): ExtAuthzGrpcService | ExtAuthzClusterService {
  const requestHeaders = decodeNames(context, allowedHeaders, `${path}.allowed_headers`);
  if (targetSpecifier.case === 'envoyGrpc') {
    const { clusterName: cluster, authority } = targetSpecifier.value;
    if (cluster === '') context.refuse(`${path}.grpc_service.envoy_grpc.cluster_name`, 'is missing');
    return { grpcCluster: present({ cluster, authority: authority || undefined, requestHeaders }) };
  }
  if (targetSpecifier.case === undefined) {
    context.refuse(`${path}.grpc_service`, 'names nobody: give envoy_grpc or google_grpc');
    return { grpc: { target: '' } };
  }
  const { targetUri, channelCredentials } = targetSpecifier.value;
  const credentials = channelCredentials?.credentialSpecifier;
  const here = `${path}.grpc_service.google_grpc.channel_credentials`;
  const ssl = credentials?.case === 'sslCredentials' ? credentials.value : undefined;
  const file = (source: DataSource | undefined, field: string): string | undefined => {
    if (!source) return undefined;
    if (source.specifier.case === 'filename') return source.specifier.value;
    context.refuse(`${here}.ssl_credentials.${field}`, 'must be a filename');
    return undefined;
  };
  return {
    grpc: present({
      target: targetUri,
      tls:
        ssl &&
        present({
          caFile: file(ssl.rootCerts, 'root_certs'),
          certificateFile: file(ssl.certChain, 'cert_chain'),
          keyFile: file(ssl.privateKey, 'private_key'),
        }),
      plaintext: ssl ? undefined : true,
      requestHeaders,
    }),
  };
}
