import { isMessage } from '@bufbuild/protobuf';
import type {
  CustomTag,
  HandlerTracing,
  OtlpTraceProvider,
  RouteTracing,
  TraceProvider,
  ZipkinTraceProvider,
} from '@tulle/model';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import type { HttpService } from '@tulle/xds-proto/envoy/config/core/v3/http_service';
import type { Tracing as RouteTracingMessage } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { Tracing_Http } from '@tulle/xds-proto/envoy/config/trace/v3/http_tracer';
import {
  type OpenTelemetryConfig,
  OpenTelemetryConfigSchema,
} from '@tulle/xds-proto/envoy/config/trace/v3/opentelemetry';
import {
  type ZipkinConfig,
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  ZipkinConfigSchema,
} from '@tulle/xds-proto/envoy/config/trace/v3/zipkin';
import type { HttpConnectionManager_Tracing } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { EnvironmentResourceDetectorConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector';
import { StaticConfigResourceDetectorConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector';
import { AlwaysOnSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler';
import { ParentBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler';
import { TraceIdRatioBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler';
import type { CustomTag as EnvoyTag } from '@tulle/xds-proto/envoy/type/tracing/v3/custom_tag';
import type { FractionalPercent } from '@tulle/xds-proto/envoy/type/v3/percent';
import type { DecodeContext } from './context.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { percentOf } from './percent.ts';
import { absoluteUri, NO_HOST } from './http-uri.ts';
import { filled, milliseconds, present } from './values.ts';

/**
 * Without a provider, also of the bootstrap, nothing is traced, but decorators of routes hold.
 * @param said elsewhere, whatever `tracing` says: `spawns` by the router, that attempts have spans of their own; `samplesAll` by the
 *   extension of request ids, that percentages do not count
 */
export function decodeTracing(
  context: DecodeContext,
  tracing: HttpConnectionManager_Tracing | undefined,
  path: string,
  { spawns = false, samplesAll = false }: { readonly spawns?: boolean; readonly samplesAll?: boolean } = {},
): HandlerTracing | undefined {
  if (tracing === undefined) return undefined;
  const { provider: named } = tracing;
  const provider = named ? decodeProvider(context, named, `${path}.provider`) : context.tracer;
  if (provider === undefined) return {};
  return present({
    provider,
    randomSamplingPercent: tracing.randomSampling?.value,
    clientSamplingPercent: tracing.clientSampling?.value,
    overallSamplingPercent: tracing.overallSampling?.value,
    samplesAll: samplesAll ? true : undefined,
    ...decodeNames(tracing),
    customTags: decodeTags(context, tracing.customTags, `${path}.custom_tags`),
    maxPathTagLength: tracing.maxPathTagLength,
    // Envoy's default is one span a request.
    spawnUpstreamSpan: spawns || tracing.spawnUpstreamSpan === true ? undefined : false,
    verbose: tracing.verbose ? true : undefined,
  });
}

/** What a tracer's message stands for, in a handler and in the bootstrap. @returns `undefined` after an issue */
export function decodeProvider(
  context: DecodeContext,
  { configType }: Tracing_Http,
  path: string,
): TraceProvider | undefined {
  const at = `${path}.typed_config`;
  const message = context.open(configType.case === 'typedConfig' ? configType.value : undefined, at);
  if (message === undefined) return undefined;
  if (isMessage(message, OpenTelemetryConfigSchema)) return decodeOtlp(context, message, at);
  if (isMessage(message, ZipkinConfigSchema)) return decodeZipkin(context, message, at);
  context.refuse(at, `${message.$typeName} is no tracer that this proxy has`);
  return undefined;
}

/** Percentages that are left out are 100, whatever the handler says. */
export function decodeRouteTracing(
  context: DecodeContext,
  tracing: RouteTracingMessage | undefined,
  path: string,
): RouteTracing | undefined {
  if (tracing === undefined) return undefined;
  const percent = (share: FractionalPercent | undefined): number | undefined => share && percentOf(share);
  return present({
    randomSamplingPercent: percent(tracing.randomSampling),
    clientSamplingPercent: percent(tracing.clientSampling),
    overallSamplingPercent: percent(tracing.overallSampling),
    ...decodeNames(tracing),
    customTags: decodeTags(context, tracing.customTags, `${path}.custom_tags`),
  });
}

function decodeNames({
  operation,
  upstreamOperation,
}: HttpConnectionManager_Tracing | RouteTracingMessage): Pick<
  HandlerTracing,
  'operation' | 'upstreamOperation'
> {
  return {
    ...(operation !== '' && { operation }),
    ...(upstreamOperation !== '' && { upstreamOperation }),
  };
}

export function decodeTags(
  context: DecodeContext,
  tags: readonly EnvoyTag[],
  path: string,
): readonly CustomTag[] | undefined {
  return filled(tags.flatMap((tag, index) => decodeTag(context, tag, `${path}[${index}]`)));
}

function decodeTag(context: DecodeContext, { tag: name, type }: EnvoyTag, path: string): CustomTag[] {
  if (name === '') context.refuse(`${path}.tag`, 'is missing');
  const byDefault = (text: string): { byDefault?: string } => (text === '' ? {} : { byDefault: text });
  switch (type.case) {
    case 'literal':
      return [{ name, kind: 'literal', value: type.value.value }];
    case 'environment':
      return [
        { name, kind: 'environment', variable: type.value.name, ...byDefault(type.value.defaultValue) },
      ];
    case 'requestHeader':
      return [{ name, kind: 'header', header: type.value.name, ...byDefault(type.value.defaultValue) }];
    case 'metadata': {
      const { kind, metadataKey, defaultValue } = type.value;
      const here = `${path}.metadata`;
      const keys = (metadataKey?.path ?? []).map(({ segment }) =>
        segment.case === 'key' ? segment.value : '',
      );
      const of = kind?.kind.case;
      if (of !== 'request' && of !== 'route')
        context.refuse(`${here}.kind`, 'must be request or route: of clusters and hosts no metadata is kept');
      if (metadataKey === undefined || metadataKey.key === '')
        context.refuse(`${here}.metadata_key.key`, 'is missing');
      if (keys.length === 0 || keys.includes(''))
        context.refuse(`${here}.metadata_key.path`, 'must name keys');
      const namespace = metadataKey?.key ?? '';
      const whose = of === 'route' ? { of } : {};
      return [{ name, kind: 'metadata', ...whose, namespace, path: keys, ...byDefault(defaultValue) }];
    }
    case 'value': // reported by the field walk
      return [];
    case undefined:
      context.refuse(path, 'names no value: give literal, environment or request_header');
      return [];
  }
}

function decodeOtlp(context: DecodeContext, config: OpenTelemetryConfig, path: string): OtlpTraceProvider {
  const { grpcService, httpService, sampler } = config;
  if ((grpcService === undefined) === (httpService === undefined))
    context.refuse(path, 'must have a grpc_service or an http_service, and not both');
  const timeout = grpcService?.timeout ?? httpService?.httpUri?.timeout;
  return present({
    kind: 'otlp' as const,
    service: decodeService(context, config, path),
    timeoutMs: milliseconds(timeout),
    serviceName: config.serviceName === '' ? undefined : config.serviceName,
    ...decodeResource(context, config.resourceDetectors, `${path}.resource_detectors`),
    sampler: decodeSampler(context, sampler, `${path}.sampler`),
  });
}

function decodeSampler(
  context: DecodeContext,
  sampler: TypedExtensionConfig | undefined,
  path: string,
): OtlpTraceProvider['sampler'] {
  if (sampler === undefined) return undefined;
  const message = context.open(sampler.typedConfig, `${path}.typed_config`);
  if (message === undefined) return undefined;
  if (isMessage(message, AlwaysOnSamplerConfigSchema)) return 'always';
  if (isMessage(message, TraceIdRatioBasedSamplerConfigSchema))
    return { percent: percentOf(message.samplingPercentage) ?? 100 };
  if (isMessage(message, ParentBasedSamplerConfigSchema)) {
    const here = `${path}.typed_config.wrapped_sampler`;
    if (message.wrappedSampler === undefined) context.refuse(here, 'is missing');
    const wrapped = decodeSampler(context, message.wrappedSampler, here);
    if (typeof wrapped === 'object' && wrapped.parentBased === true)
      context.refuse(here, 'must be none that asks the parent again');
    return { percent: typeof wrapped === 'object' ? wrapped.percent : 100, parentBased: true };
  }
  context.refuse(
    path,
    'must be AlwaysOnSamplerConfig, TraceIdRatioBasedSamplerConfig, or ParentBasedSamplerConfig around one of them',
  );
  return undefined;
}

type HttpTarget = Extract<OtlpTraceProvider['service'], { readonly http: unknown }>['http'];

function decodeService(
  context: DecodeContext,
  { grpcService, httpService }: OpenTelemetryConfig,
  path: string,
): OtlpTraceProvider['service'] {
  if (httpService === undefined)
    return { grpc: present(decodeGrpcCluster(context, grpcService, `${path}.grpc_service`)) };
  return { http: decodeHttpService(context, httpService, `${path}.http_service`) };
}

/** Whom HTTP exports go to. */
export function decodeHttpService(
  context: DecodeContext,
  { httpUri, requestHeadersToAdd }: HttpService,
  path: string,
): HttpTarget {
  const { uri: given = '', httpUpstreamType } = httpUri ?? {};
  const uri = absoluteUri(given);
  if (!/^https?:\/\/[^/?#]+/.test(uri)) context.refuse(`${path}.http_uri.uri`, NO_HOST);
  if (httpUpstreamType?.case !== 'cluster') context.refuse(`${path}.http_uri.cluster`, 'is missing');
  return present({
    url: uri,
    cluster: httpUpstreamType?.case === 'cluster' ? httpUpstreamType.value : '',
    headers: decodeHeaderEdits(context, requestHeadersToAdd, [], `${path}.request_headers_to_add`),
  });
}

export function decodeResource(
  context: DecodeContext,
  detectors: readonly TypedExtensionConfig[],
  path: string,
): Pick<OtlpTraceProvider, 'resource' | 'environment'> {
  let resource: Record<string, string> | undefined;
  let environment: boolean | undefined;
  for (const [index, detector] of detectors.entries()) {
    const message = context.open(detector.typedConfig, `${path}[${index}].typed_config`);
    if (message === undefined) continue;
    if (isMessage(message, StaticConfigResourceDetectorConfigSchema))
      resource = { ...resource, ...message.attributes };
    else if (isMessage(message, EnvironmentResourceDetectorConfigSchema)) environment = true;
    else
      context.refuse(
        `${path}[${index}]`,
        'must be of the environment, or StaticConfigResourceDetectorConfig',
      );
  }
  return present({ resource, environment }) as Pick<OtlpTraceProvider, 'resource' | 'environment'>;
}

function decodeZipkin(context: DecodeContext, config: ZipkinConfig, path: string): ZipkinTraceProvider {
  if (config.collectorCluster === '') context.refuse(`${path}.collector_cluster`, 'is missing');
  if (!config.collectorEndpoint.startsWith('/'))
    context.refuse(`${path}.collector_endpoint`, 'must be a path, e.g. /api/v2/spans');
  if (config.collectorEndpointVersion !== EndpointVersion.HTTP_JSON)
    context.refuse(`${path}.collector_endpoint_version`, 'must be HTTP_JSON');
  return present({
    kind: 'zipkin' as const,
    cluster: config.collectorCluster,
    path: config.collectorEndpoint,
    hostname: config.collectorHostname === '' ? undefined : config.collectorHostname,
    longTraceIds: config.traceId128bit ? true : undefined,
    sharedSpan: config.sharedSpanContext === false ? false : undefined,
  });
}
