import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { httpConfig, overrides, typed } from './envoy-filters.ts';

const extProc = (fields: JsonObject = {}) =>
  typed('http.ext_proc.v3.ExternalProcessor', {
    grpcService: { envoyGrpc: { clusterName: 'proc' } },
    ...fields,
  });

describe('external processing', () => {
  it('is taken with all that it says', () => {
    expect(
      httpConfig(
        extProc({
          grpcService: { envoyGrpc: { clusterName: 'proc', authority: 'proc.example' }, timeout: '10s' },
          failureModeAllow: true,
          processingMode: {
            requestHeaderMode: 'SEND',
            responseHeaderMode: 'SKIP',
            requestBodyMode: 'BUFFERED_PARTIAL',
            responseBodyMode: 'STREAMED',
            requestTrailerMode: 'SEND',
          },
          requestAttributes: ['request.path', 'xds.route_name'],
          messageTimeout: '0.5s',
          maxMessageTimeout: '2s',
          statPrefix: 'one',
          mutationRules: {
            allowAllRouting: true,
            disallowExpression: { googleRe2: {}, regex: 'x-secret.*' },
            disallowIsError: true,
          },
          forwardRules: { allowedHeaders: { patterns: [{ prefix: 'x-' }] } },
          allowModeOverride: true,
          disableImmediateResponse: true,
          metadataOptions: {
            forwardingNamespaces: { untyped: ['a'] },
            receivingNamespaces: { untyped: ['b'] },
          },
          routeCacheAction: 'CLEAR',
          statusOnError: { code: 503 },
          allowedOverrideModes: [{ responseHeaderMode: 'SKIP' }],
        }),
      ),
    ).toEqual({
      service: { cluster: 'proc', authority: 'proc.example' },
      mode: {
        responseHeaders: 'skip',
        requestBody: 'buffered-partial',
        responseBody: 'streamed',
        requestTrailers: 'send',
      },
      messageTimeoutMs: 500,
      maxMessageTimeoutMs: 2000,
      failureMode: 'allow',
      statusOnError: 503,
      allowModeOverride: true,
      allowedModes: [{ responseHeaders: 'skip' }],
      allowImmediateResponse: false,
      mutationRules: { allowRouting: true, disallowPattern: 'x-secret.*', disallowedIsError: true },
      sentHeaders: ['x-*'],
      requestAttributes: ['request.path', 'xds.route_name'],
      sentMetadata: ['a'],
      receivedMetadata: ['b'],
      rematch: 'always',
    });
  });

  it.each<[JsonObject, string]>([
    [{ observabilityMode: true }, 'observability_mode'],
    [{ deferredCloseTimeout: '1s' }, 'deferred_close_timeout'],
    [{ filterMetadata: { a: 1 } }, 'filter_metadata'],
    [{ messageTimeout: '0s' }, 'message_timeout'],
    [{ statusOnError: { code: 302 } }, 'status_on_error.code'],
    [{ allowedOverrideModes: [{ requestBodyMode: 4 }] }, 'allowed_override_modes[0].request_body_mode'],
    [{ grpcService: { googleGrpc: { targetUri: 'a:1', statPrefix: 'a' } } }, 'grpc_service'],
    [{ disableClearRouteCache: true, routeCacheAction: 'CLEAR' }, 'disable_clear_route_cache'],
    [{ processingMode: { requestBodyMode: 4 } }, 'processing_mode.request_body_mode'],
    [{ requestAttributes: ['request.path', 'request.nothing'] }, 'request_attributes[1]'],
    [{ responseAttributes: ['response.nothing'] }, 'response_attributes[0]'],
    [
      { metadataOptions: { forwardingNamespaces: { typed: ['a'] } } },
      'metadata_options.forwarding_namespaces.typed',
    ],
    [
      { forwardRules: { allowedHeaders: { patterns: [{ safeRegex: { regex: 'a' } }] } } },
      'forward_rules.allowed_headers.patterns[0]',
    ],
  ])('is refused by path: %j', (fields, path) => {
    expect(httpConfig(extProc(fields))).toEqual([expect.stringContaining(`typed_config.${path} `)]);
  });

  it('is another on a route, or none', () => {
    const route = (fields: JsonObject): unknown =>
      (overrides({ one: typed('http.ext_proc.v3.ExtProcPerRoute', fields) }) as { readonly one: unknown })
        .one;
    expect(route({ disabled: true })).toBeNull();
    expect(
      route({
        overrides: {
          processingMode: { requestBodyMode: 'BUFFERED' },
          grpcService: { envoyGrpc: { clusterName: 'other' } },
          grpcInitialMetadata: [{ key: 'X-Token', value: 'secret' }],
          requestAttributes: ['request.path'],
          responseAttributes: ['response.code'],
          failureModeAllow: false,
        },
      }),
    ).toEqual({
      mode: { requestBody: 'buffered' },
      service: { cluster: 'other' },
      requestAttributes: ['request.path'],
      responseAttributes: ['response.code'],
      failureMode: 'deny',
      addedMetadata: [{ name: 'x-token', value: 'secret' }],
    });
  });
});
