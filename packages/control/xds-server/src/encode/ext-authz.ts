import { create } from '@bufbuild/protobuf';
import { patternsOfOthers } from '@tulle/match';
import {
  EXT_AUTHZ_CLIENT_HEADERS,
  EXT_AUTHZ_KEPT_HEADERS,
  EXT_AUTHZ_SENT_HEADERS,
  type ExtAuthzGrpcService,
  type ExtAuthzHttpService,
} from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { GrpcServiceSchema } from '@tulle/xds-proto/envoy/config/core/v3/grpc_service';
import {
  type BufferSettingsSchema,
  type ExtAuthz,
  type ExtAuthzPerRoute,
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
  type HttpServiceSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz';
import type { ListStringMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import type { StatusCode } from '@tulle/xds-proto/envoy/type/v3/http_status';
import { fieldNames } from './field-names.ts';
import { need, orInexpressible } from './inexpressible.ts';
import { hasOnly, isInteger, isObject, isText } from './shape.ts';
import { duration, type Fields, sortedMap } from './values.ts';

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeExtAuthz(config: unknown): ExtAuthz | undefined {
  return orInexpressible(() => {
    need(
      isObject(config) &&
        hasOnly(config, [
          'service',
          'timeoutMs',
          'failureMode',
          'statusOnError',
          'body',
          'withheldHeaders',
          'tellCertificate',
          'metadataNamespaces',
          'markFailureAllowed',
          'rematch',
        ]),
    );
    const { withheldHeaders, metadataNamespaces = [], markFailureAllowed, rematch, tellCertificate } = config;
    need(
      [markFailureAllowed, rematch, tellCertificate].every(
        (flag) => flag === undefined || typeof flag === 'boolean',
      ),
    );
    need(Array.isArray(metadataNamespaces) && metadataNamespaces.every(isText));
    const { service, timeoutMs = 200, failureMode, statusOnError = 403, body } = config;
    need(isInteger(timeoutMs, 1, 60_000) && isInteger(statusOnError, 400, 599));
    need([undefined, 'deny', 'allow'].includes(failureMode as string | undefined));
    need(isObject(service) && Object.keys(service).length === 1);
    const { http, grpc, grpcCluster } = service;
    return create(ExtAuthzSchema, {
      transportApiVersion: ApiVersion.V3,
      failureModeAllow: failureMode === 'allow',
      statusOnError: { code: statusOnError as StatusCode },
      ...(body !== undefined && { withRequestBody: buffer(body) }),
      failureModeAllowHeaderAdd: markFailureAllowed === true,
      clearRouteCache: rematch === true,
      includePeerCertificate: tellCertificate === true,
      metadataContextNamespaces: [...metadataNamespaces],
      ...(withheldHeaders !== undefined && { disallowedHeaders: fieldNames(withheldHeaders) }),
      ...(http !== undefined
        ? overHttp(http, timeoutMs)
        : grpcCluster !== undefined
          ? overCluster(grpcCluster, timeoutMs)
          : overGrpc(grpc, timeoutMs)),
    });
  });
}

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeExtAuthzRoute(config: unknown): ExtAuthzPerRoute | undefined {
  return orInexpressible(() => {
    need(isObject(config) && hasOnly(config, ['contextExtensions', 'body']));
    const { contextExtensions = {}, body } = config;
    need(isObject(contextExtensions));
    const entries = Object.entries(contextExtensions).filter((entry): entry is [string, string] =>
      isText(entry[1]),
    );
    need(entries.length === Object.keys(contextExtensions).length);
    return create(ExtAuthzPerRouteSchema, {
      override: {
        case: 'checkSettings',
        value: {
          contextExtensions: sortedMap(entries),
          ...(body !== undefined && { withRequestBody: buffer(body) }),
        },
      },
    });
  });
}

function buffer(body: unknown): Fields<typeof BufferSettingsSchema> {
  need(
    isObject(body) && hasOnly(body, ['maxBytes', 'partial']) && isInteger(body['maxBytes'], 1, 10_485_760),
  );
  need([undefined, true, false].includes(body['partial'] as boolean | undefined));
  return {
    maxRequestBytes: body['maxBytes'],
    packAsBytes: true,
    allowPartialMessage: body['partial'] === true,
  };
}

type AuthorizationResponseFields = NonNullable<Fields<typeof HttpServiceSchema>['authorizationResponse']>;
type Service = Pick<Fields<typeof ExtAuthzSchema>, 'services' | 'allowedHeaders'>;

function overHttp(http: unknown, timeoutMs: number): Service {
  need(
    isObject(http) &&
      hasOnly(http, [
        'url',
        'cluster',
        'path',
        'requestHeaders',
        'onlyListed',
        'onlyOk',
        'upstreamHeaders',
        'clientHeaders',
        'clientHeadersOnSuccess',
      ]),
  );
  const { url, cluster, path, onlyListed, onlyOk } = http as Partial<ExtAuthzHttpService['http']>;
  // The two that make of Tulle's way Envoy's.
  need(onlyListed === onlyOk && [undefined, true].includes(onlyListed));
  // Envoy always asks a cluster, and whether that speaks TLS is the cluster's affair.
  const [, uri, pathPrefix = ''] =
    /^(http:\/\/[A-Za-z0-9._:[\]-]+)(\/[^?#]*[^/?#])?$/.exec(isText(url) ? url : '') ?? [];
  need(uri !== undefined && isText(cluster) && cluster !== '' && (path === undefined || path === 'append'));
  const value: Fields<typeof HttpServiceSchema> = {
    serverUri: { uri, httpUpstreamType: { case: 'cluster', value: cluster }, timeout: duration(timeoutMs) },
    pathPrefix,
    authorizationResponse: {
      ...(isSome(http['upstreamHeaders']) && {
        allowedUpstreamHeaders: upstreamHeaders(http['upstreamHeaders']),
      }),
      // Without a list Envoy gives everything on.
      ...clientHeaders(http['clientHeaders'] ?? EXT_AUTHZ_CLIENT_HEADERS),
      ...(isSome(http['clientHeadersOnSuccess']) && {
        allowedClientHeadersOnSuccess: fieldNames(http['clientHeadersOnSuccess']),
      }),
    },
  };
  const requestHeaders = http['requestHeaders'] ?? [];
  need(Array.isArray(requestHeaders));
  // Envoy always sends authorization; Tulle more, unless it is told to do as Envoy.
  const sent = [
    ...(onlyListed === true ? [] : EXT_AUTHZ_SENT_HEADERS),
    ...(requestHeaders as readonly unknown[]),
  ];
  // By these Tulle knows its own.
  need(onlyListed !== true || EXT_AUTHZ_SENT_HEADERS.some((name, i) => sent[i] !== name));
  return {
    services: { case: 'httpService', value },
    ...(sent.length > 0 && { allowedHeaders: fieldNames(sent) }),
  };
}

/** Envoy gives on what it is told to, the fields of framing too: where that is everything, these are left out by name. */
function upstreamHeaders(list: unknown): Fields<typeof ListStringMatcherSchema> {
  if (!Array.isArray(list) || list.length !== 1 || list[0] !== '*') return fieldNames(list);
  return {
    patterns: patternsOfOthers(EXT_AUTHZ_KEPT_HEADERS).map((regex) => ({
      matchPattern: { case: 'safeRegex', value: { regex } },
    })),
  };
}

/** With a list, Envoy gives on these two in any case; without one, everything. */
function clientHeaders(list: unknown): Pick<AuthorizationResponseFields, 'allowedClientHeaders'> {
  need(Array.isArray(list));
  if (list.length === 1 && list[0] === '*') return {};
  need(['www-authenticate', 'location'].every((name) => list.includes(name)));
  return { allowedClientHeaders: fieldNames(list) };
}

function overCluster(service: unknown, timeoutMs: number): Service {
  need(isObject(service) && hasOnly(service, ['cluster', 'authority', 'requestHeaders']));
  const { cluster, authority = '', requestHeaders } = service;
  need(isText(cluster) && cluster !== '' && isText(authority));
  return {
    services: {
      case: 'grpcService',
      value: {
        targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster, authority } },
        timeout: duration(timeoutMs),
      },
    },
    ...(requestHeaders !== undefined && { allowedHeaders: fieldNames(requestHeaders) }),
  };
}

function overGrpc(grpc: unknown, timeoutMs: number): Service {
  need(isObject(grpc) && hasOnly(grpc, ['target', 'tls', 'plaintext', 'requestHeaders']));
  const { target, tls, plaintext, requestHeaders } = grpc as Partial<ExtAuthzGrpcService['grpc']>;
  need(isText(target) && target !== '');
  // What may go in plain text is said, never guessed.
  need(tls === undefined ? plaintext === true : plaintext === undefined);
  const file = (name: unknown): { specifier: { case: 'filename'; value: string } } => {
    need(isText(name) && name !== '');
    return { specifier: { case: 'filename', value: name } };
  };
  let credentials: object = {};
  if (tls !== undefined) {
    need(isObject(tls) && hasOnly(tls, ['caFile', 'certificateFile', 'keyFile']));
    const value = {
      ...(tls.caFile !== undefined && { rootCerts: file(tls.caFile) }),
      ...(tls.certificateFile !== undefined && { certChain: file(tls.certificateFile) }),
      ...(tls.keyFile !== undefined && { privateKey: file(tls.keyFile) }),
    };
    credentials = { channelCredentials: { credentialSpecifier: { case: 'sslCredentials', value } } };
  }
  const service: Fields<typeof GrpcServiceSchema> = {
    targetSpecifier: {
      case: 'googleGrpc',
      value: { targetUri: target, statPrefix: 'ext-authz', ...credentials },
    },
    timeout: duration(timeoutMs),
  };
  return {
    services: { case: 'grpcService', value: service },
    ...(requestHeaders !== undefined && { allowedHeaders: fieldNames(requestHeaders) }),
  };
}

/** Whether a list says anything; without one Envoy gives on nothing here. */
function isSome(list: unknown): boolean {
  return list !== undefined && !(Array.isArray(list) && list.length === 0);
}
