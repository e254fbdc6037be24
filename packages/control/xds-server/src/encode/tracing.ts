import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type {
  CustomTag,
  HandlerTracing,
  OtlpTraceProvider,
  TraceProvider,
  TraceSampler,
  ZipkinTraceProvider,
} from '@tulle/model';
import { OpenTelemetryConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/opentelemetry';
import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  ZipkinConfigSchema,
} from '@tulle/xds-proto/envoy/config/trace/v3/zipkin';
import type {
  HttpConnectionManager_TracingSchema,
  RequestIDExtensionSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { EnvironmentResourceDetectorConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector';
import { StaticConfigResourceDetectorConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector';
import { AlwaysOnSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler';
import { ParentBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler';
import { TraceIdRatioBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler';
import { UuidRequestIdConfigSchema } from '@tulle/xds-proto/envoy/extensions/request_id/uuid/v3/uuid';
import type { HttpServiceSchema } from '@tulle/xds-proto/envoy/config/core/v3/http_service';
import type { TypedExtensionConfigSchema } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import type { CustomTagSchema } from '@tulle/xds-proto/envoy/type/tracing/v3/custom_tag';
import { encodeToAdd } from './header-edits.ts';
import { share } from './percent.ts';
import { duration, type Fields, sortedMap } from './values.ts';

export function encodeTracing(tracing: HandlerTracing): Fields<typeof HttpConnectionManager_TracingSchema> {
  const { randomSamplingPercent, clientSamplingPercent, overallSamplingPercent, maxPathTagLength } = tracing;
  const { provider } = tracing;
  if (provider === undefined) return {};
  return {
    provider: {
      name: provider.kind === 'zipkin' ? 'envoy.tracers.zipkin' : 'envoy.tracers.opentelemetry',
      configType: { case: 'typedConfig', value: encodeProvider(provider) },
    },
    ...(randomSamplingPercent !== undefined && { randomSampling: { value: randomSamplingPercent } }),
    ...(clientSamplingPercent !== undefined && { clientSampling: { value: clientSamplingPercent } }),
    ...(overallSamplingPercent !== undefined && { overallSampling: { value: overallSamplingPercent } }),
    ...(maxPathTagLength !== undefined && { maxPathTagLength }),
    operation: tracing.operation ?? '',
    upstreamOperation: tracing.upstreamOperation ?? '',
    customTags: (tracing.customTags ?? []).map(encodeTag),
    spawnUpstreamSpan: tracing.spawnUpstreamSpan ?? true,
    verbose: tracing.verbose ?? false,
  };
}

/** By which percentages do not count. */
export function notSampledById(): Fields<typeof RequestIDExtensionSchema> {
  return {
    typedConfig: anyPack(
      UuidRequestIdConfigSchema,
      create(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: false }),
    ),
  };
}

export function encodeTag(tag: CustomTag): Fields<typeof CustomTagSchema> {
  switch (tag.kind) {
    case 'literal':
      return { tag: tag.name, type: { case: 'literal', value: { value: tag.value } } };
    case 'environment':
      return {
        tag: tag.name,
        type: { case: 'environment', value: { name: tag.variable, defaultValue: tag.byDefault ?? '' } },
      };
    case 'metadata':
      return {
        tag: tag.name,
        type: {
          case: 'metadata',
          value: {
            kind: { kind: { case: tag.of ?? 'request', value: {} } },
            metadataKey: {
              key: tag.namespace,
              path: tag.path.map((key) => ({ segment: { case: 'key', value: key } })),
            },
            defaultValue: tag.byDefault ?? '',
          },
        },
      };
    case 'header':
      return {
        tag: tag.name,
        type: { case: 'requestHeader', value: { name: tag.header, defaultValue: tag.byDefault ?? '' } },
      };
  }
}

function encodeProvider(provider: TraceProvider): Any {
  return provider.kind === 'zipkin' ? encodeZipkin(provider) : encodeOtlp(provider);
}

/** Envoy wants one for every HTTP service. */
const HTTP_TIMEOUT_MS = 5_000;

export function encodeHttpService(
  { url, cluster, headers }: Extract<OtlpTraceProvider['service'], { readonly http: unknown }>['http'],
  timeoutMs: number = HTTP_TIMEOUT_MS,
): Fields<typeof HttpServiceSchema> {
  return {
    httpUri: {
      uri: url,
      httpUpstreamType: { case: 'cluster', value: cluster },
      timeout: duration(timeoutMs),
    },
    requestHeadersToAdd: encodeToAdd(headers),
  };
}

/** Where attributes of the resource come from. */
export function encodeDetectors({
  resource,
  environment,
}: Pick<OtlpTraceProvider, 'resource' | 'environment'>): Fields<typeof TypedExtensionConfigSchema>[] {
  return [
    ...(environment === true
      ? [
          {
            name: 'envoy.tracers.opentelemetry.resource_detectors.environment',
            typedConfig: anyPack(
              EnvironmentResourceDetectorConfigSchema,
              create(EnvironmentResourceDetectorConfigSchema),
            ),
          },
        ]
      : []),
    ...(resource === undefined
      ? []
      : [
          {
            name: 'envoy.tracers.opentelemetry.resource_detectors.static_config',
            typedConfig: anyPack(
              StaticConfigResourceDetectorConfigSchema,
              create(StaticConfigResourceDetectorConfigSchema, {
                attributes: sortedMap(Object.entries(resource)),
              }),
            ),
          },
        ]),
  ];
}

function encodeOtlp(provider: OtlpTraceProvider): Any {
  const { service, timeoutMs, serviceName, sampler } = provider;
  const config = create(OpenTelemetryConfigSchema, {
    ...('grpc' in service
      ? {
          grpcService: {
            targetSpecifier: {
              case: 'envoyGrpc',
              value: { clusterName: service.grpc.cluster, authority: service.grpc.authority ?? '' },
            },
            ...(timeoutMs !== undefined && { timeout: duration(timeoutMs) }),
          },
        }
      : {
          httpService: encodeHttpService(service.http, timeoutMs),
        }),
    serviceName: serviceName ?? '',
    resourceDetectors: encodeDetectors(provider),
    ...(sampler !== undefined && { sampler: encodeSampler(sampler) }),
  });
  return anyPack(OpenTelemetryConfigSchema, config);
}

const SAMPLERS = 'envoy.tracers.opentelemetry.samplers';

function encodeSampler(sampler: 'always' | TraceSampler): Fields<typeof TypedExtensionConfigSchema> {
  if (sampler === 'always')
    return {
      name: `${SAMPLERS}.always_on`,
      typedConfig: anyPack(AlwaysOnSamplerConfigSchema, create(AlwaysOnSamplerConfigSchema)),
    };
  const ratio = {
    name: `${SAMPLERS}.trace_id_ratio_based`,
    typedConfig: anyPack(
      TraceIdRatioBasedSamplerConfigSchema,
      create(TraceIdRatioBasedSamplerConfigSchema, { samplingPercentage: share(sampler.percent) }),
    ),
  };
  if (sampler.parentBased !== true) return ratio;
  return {
    name: `${SAMPLERS}.parent_based`,
    typedConfig: anyPack(
      ParentBasedSamplerConfigSchema,
      create(ParentBasedSamplerConfigSchema, { wrappedSampler: ratio }),
    ),
  };
}

function encodeZipkin({ cluster, path, hostname, longTraceIds, sharedSpan }: ZipkinTraceProvider): Any {
  const config = create(ZipkinConfigSchema, {
    collectorCluster: cluster,
    collectorEndpoint: path,
    collectorEndpointVersion: EndpointVersion.HTTP_JSON,
    collectorHostname: hostname ?? '',
    traceId128bit: longTraceIds ?? false,
    ...(sharedSpan !== undefined && { sharedSpanContext: sharedSpan }),
  });
  return anyPack(ZipkinConfigSchema, config);
}
