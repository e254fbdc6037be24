import { createRegistry, fromJson, type JsonObject, type Registry } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { OpenTelemetryConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/opentelemetry';
import { ZipkinConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/zipkin';
import { HttpConnectionManager_TracingSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { AlwaysOnSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler';
import { ParentBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler';
import { TraceIdRatioBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler';
import type { TraceProvider } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createDecodeContext } from '../src/decode/context.ts';
import { decodeTracing } from '../src/decode/tracing.ts';

/** What another control plane's tracing, in Envoy's JSON, is read as, and where it is refused. */
function read(
  kind: 'zipkin' | 'otlp',
  provider: JsonObject,
  more: JsonObject = {},
  registry?: Registry,
): { tracing: unknown; refused: string[] } {
  const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
  const tracing = fromJson(HttpConnectionManager_TracingSchema, { ...more, provider: { name: 'x' } });
  const value =
    kind === 'zipkin'
      ? anyPack(ZipkinConfigSchema, fromJson(ZipkinConfigSchema, provider))
      : anyPack(
          OpenTelemetryConfigSchema,
          fromJson(OpenTelemetryConfigSchema, provider, registry && { registry }),
        );
  if (tracing.provider !== undefined) tracing.provider.configType = { case: 'typedConfig', value };
  context.check(HttpConnectionManager_TracingSchema, tracing, 't');
  return {
    tracing: decodeTracing(context, tracing, 't'),
    refused: [...new Set(context.issues.map(({ path }) => path))],
  };
}

const zipkin = {
  collectorCluster: 'zipkin',
  collectorEndpoint: '/api/v2/spans',
  collectorEndpointVersion: 'HTTP_JSON',
};
const grpc = { grpcService: { envoyGrpc: { clusterName: 'otel' }, timeout: '0.250s' } };

describe('tracing of another control plane', () => {
  it('is one span a request unless it says otherwise, as in Envoy', () => {
    expect(read('zipkin', zipkin)).toEqual({
      tracing: {
        provider: { kind: 'zipkin', cluster: 'zipkin', path: '/api/v2/spans' },
        spawnUpstreamSpan: false,
      },
      refused: [],
    });
    expect(
      read(
        'otlp',
        { ...grpc, serviceName: 'shop' },
        {
          spawnUpstreamSpan: true,
          randomSampling: { value: 12.5 },
          maxPathTagLength: 99,
          customTags: [
            { tag: 'a', literal: { value: 'b' } },
            { tag: 'c', requestHeader: { name: 'x-c', defaultValue: '-' } },
          ],
        },
      ),
    ).toEqual({
      tracing: {
        provider: {
          kind: 'otlp',
          service: { grpc: { cluster: 'otel' } },
          timeoutMs: 250,
          serviceName: 'shop',
        },
        randomSamplingPercent: 12.5,
        maxPathTagLength: 99,
        customTags: [
          { name: 'a', kind: 'literal', value: 'b' },
          { name: 'c', kind: 'header', header: 'x-c', byDefault: '-' },
        ],
      },
      refused: [],
    });
  });

  it('has the provider of the bootstrap where it names none, and else lets decorators alone hold', () => {
    const tracer: TraceProvider = { kind: 'zipkin', cluster: 'zipkin', path: '/api/v2/spans' };
    const without = (given?: TraceProvider): unknown => {
      const context = createDecodeContext(
        { tolerated: new Set(), allowUnknown: false },
        undefined,
        undefined,
        undefined,
        given,
      );
      const tracing = decodeTracing(
        context,
        fromJson(HttpConnectionManager_TracingSchema, { verbose: true }),
        't',
      );
      expect(context.issues).toEqual([]);
      return tracing;
    };
    expect(without()).toEqual({});
    expect(without(tracer)).toEqual({ provider: tracer, spawnUpstreamSpan: false, verbose: true });
    expect(read('zipkin', { ...zipkin, collectorCluster: 'own' }).tracing).toMatchObject({
      provider: { cluster: 'own' },
    });
  });

  const at = 't.provider.typed_config';
  it.each<[string, 'zipkin' | 'otlp', JsonObject, JsonObject]>([
    [
      't.custom_tags[0].metadata.kind',
      'zipkin',
      zipkin,
      { customTags: [{ tag: 'm', metadata: { kind: { cluster: {} } } }] },
    ],
    ['t.custom_tags[0]', 'zipkin', zipkin, { customTags: [{ tag: 'm' }] }],
    [`${at}.collector_cluster`, 'zipkin', { ...zipkin, collectorCluster: '' }, {}],
    [`${at}.collector_endpoint`, 'zipkin', { ...zipkin, collectorEndpoint: 'spans' }, {}],
    [`${at}.collector_endpoint_version`, 'zipkin', { ...zipkin, collectorEndpointVersion: 'HTTP_PROTO' }, {}],
    [`${at}.split_spans_for_request`, 'zipkin', { ...zipkin, splitSpansForRequest: true }, {}],
    [at, 'otlp', {}, {}],
    [`${at}.grpc_service`, 'otlp', { grpcService: { googleGrpc: { targetUri: 'x', statPrefix: 'x' } } }, {}],
    [
      `${at}.http_service.http_uri.uri`,
      'otlp',
      { httpService: { httpUri: { uri: 'ftp://otel/v1/traces', cluster: 'otel' } } },
      {},
    ],
  ])('is refused at %s', (path, kind, provider, more) => {
    expect(read(kind, provider, more).refused).toContain(path);
  });

  const SAMPLERS = 'type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3';
  const registry = createRegistry(
    AlwaysOnSamplerConfigSchema,
    ParentBasedSamplerConfigSchema,
    TraceIdRatioBasedSamplerConfigSchema,
  );
  const ratio = {
    name: 'r',
    typedConfig: {
      '@type': `${SAMPLERS}.TraceIdRatioBasedSamplerConfig`,
      samplingPercentage: { numerator: 5, denominator: 'TEN_THOUSAND' },
    },
  };
  const parentOf = (wrappedSampler: JsonObject): JsonObject => ({
    name: 'p',
    typedConfig: { '@type': `${SAMPLERS}.ParentBasedSamplerConfig`, wrappedSampler },
  });
  const always = { name: 'a', typedConfig: { '@type': `${SAMPLERS}.AlwaysOnSamplerConfig` } };

  it.each<[string, JsonObject, unknown]>([
    ['all', always, 'always'],
    ['a share', ratio, { percent: 0.05 }],
    ['a share of those that no caller decided', parentOf(ratio), { percent: 0.05, parentBased: true }],
    ['all that no caller decided against', parentOf(always), { percent: 100, parentBased: true }],
  ])('may have a sampler that takes %s', (_, sampler, expected) => {
    expect(read('otlp', { ...grpc, sampler }, {}, registry)).toMatchObject({
      tracing: { provider: { sampler: expected } },
      refused: [],
    });
  });

  it('may not have one that asks the parent twice, or none below it', () => {
    const refused = (sampler: JsonObject): string[] =>
      read('otlp', { ...grpc, sampler }, {}, registry).refused;
    const here = 't.provider.typed_config.sampler.typed_config.wrapped_sampler';
    expect(refused(parentOf(parentOf(ratio)))).toEqual([here]);
    expect(refused({ name: 'p', typedConfig: { '@type': `${SAMPLERS}.ParentBasedSamplerConfig` } })).toEqual([
      here,
    ]);
  });

  it('has tags of what filters found out', () => {
    const tagged = (metadata: JsonObject): ReturnType<typeof read> =>
      read('zipkin', zipkin, { customTags: [{ tag: 'a', metadata }] });
    const metadataKey = { key: 'jwt', path: [{ key: 'claims' }, { key: 'sub' }] };
    expect(tagged({ kind: { request: {} }, metadataKey, defaultValue: '-' })).toMatchObject({
      tracing: {
        customTags: [
          { name: 'a', kind: 'metadata', namespace: 'jwt', path: ['claims', 'sub'], byDefault: '-' },
        ],
      },
      refused: [],
    });
    expect(tagged({ kind: { route: {} }, metadataKey })).toMatchObject({
      tracing: { customTags: [{ kind: 'metadata', of: 'route', namespace: 'jwt' }] },
      refused: [],
    });
    expect(tagged({ kind: { host: {} }, metadataKey }).refused).toContain('t.custom_tags[0].metadata.kind');
    expect(tagged({ kind: { request: {} } }).refused).toEqual([
      't.custom_tags[0].metadata.metadata_key.key',
      't.custom_tags[0].metadata.metadata_key.path',
    ]);
  });
});
