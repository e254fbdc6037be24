import { resourceFromAttributes } from '@opentelemetry/resources';
import type { CustomTag, HandlerTracing, OtlpTraceProvider } from '@tulle/model';
import { compileTag, type TagOf } from '@tulle/record-format';
import type { StreamRecord, TelemetryHost } from '@tulle/telemetry';
import { createBuildSpans } from './build-spans.ts';
import { Environment } from './environment.ts';
import { SCOPE } from './resource.ts';
import { SpanBatch } from './span-batch.ts';
import { otlpSender, zipkinSender } from './span-senders.ts';
import type { TracersOptions } from './tracers.ts';

/** Makes spans of a handler's records and sends them. */
export interface HandlerExporter {
  readonly name: string;
  record(record: StreamRecord): undefined;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Tracing that says where spans go; others are not opened. */
export type ProvidedTracing = HandlerTracing & Required<Pick<HandlerTracing, 'provider'>>;

/** Envoy's default of `max_path_tag_length`. */
const MAX_PATH_CHARS = 256;

/** Makes one. */
export function createHandlerExporter(
  tracing: ProvidedTracing,
  host: TelemetryHost,
  { outbound }: { readonly outbound: boolean },
  options: TracersOptions,
): HandlerExporter {
  const { provider, maxPathTagLength = MAX_PATH_CHARS, spawnUpstreamSpan = true } = tracing;
  const env = options.env ?? process.env;
  const zipkin = provider.kind === 'zipkin';
  const cluster = zipkin
    ? provider.cluster
    : 'grpc' in provider.service
      ? provider.service.grpc.cluster
      : provider.service.http.cluster;
  const scope = {
    name: SCOPE,
    resource: resourceFromAttributes(zipkin ? {} : resourceOf(provider, env)),
  };
  const self = options.self === undefined ? {} : { self: options.self };
  const build = createBuildSpans({ ...self, env: {} }, {}, scope, {
    tagsOf: compileTags(tracing.customTags ?? [], env),
    events: tracing.verbose ?? false,
    maxPathChars: maxPathTagLength,
    // One span alone stands for what this proxy does: to ask, or to answer.
    kind: outbound && !spawnUpstreamSpan ? 'client' : 'server',
  });
  const service = options.self?.app ?? options.self?.workload ?? 'tulle';
  const batch = new SpanBatch(
    host,
    cluster,
    zipkin ? zipkinSender(host, provider, service) : otlpSender(host, provider),
  );
  const stops = observe(batch, cluster, options);
  return {
    name: `tracing to ${cluster}`,
    record(record) {
      if (record.kind === 'http') batch.add(build(record));
    },
    flush: async () => batch.flush(),
    async close() {
      await batch.flush();
      for (const stop of stops) stop();
    },
  };
}

function resourceOf(
  { serviceName, resource, environment }: OtlpTraceProvider,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return {
    // As Envoy names it.
    'service.name': serviceName ?? 'unknown_service:envoy',
    ...(environment === true ? new Environment(env).pairs('OTEL_RESOURCE_ATTRIBUTES') : {}),
    ...resource,
  };
}

/** Tags of the handler, and of the route in place of those that have the same names. */
function compileTags(
  own: readonly CustomTag[],
  env: Readonly<Record<string, string | undefined>>,
): (record: StreamRecord) => readonly TagOf[] {
  const tags = own.map((tag) => compileTag(tag, env));
  const byRoute = new WeakMap<readonly object[], readonly TagOf[]>();
  return ({ routeTags }) => {
    if (routeTags === undefined) return tags;
    let both = byRoute.get(routeTags);
    if (both === undefined) {
      const ofRoute = (routeTags as readonly CustomTag[]).map((tag) => compileTag(tag, env));
      const names = new Set(ofRoute.map(([name]) => name));
      both = [...tags.filter(([name]) => !names.has(name)), ...ofRoute];
      byRoute.set(routeTags, both);
    }
    return both;
  };
}

function observe(batch: SpanBatch, cluster: string, { meter }: TracersOptions): (() => void)[] {
  if (meter === undefined) return [];
  const count = (name: string, help: string, read: () => number): (() => void) =>
    meter.observed(`tulle_tracing_spans_${name}_total`, { help, labels: { cluster } }, read);
  return [
    count('exported', 'Spans of handlers that their collector took.', () => batch.counts.exported),
    count(
      'dropped',
      'Spans of handlers not delivered: too many were held, or the collector did not take them.',
      () => batch.counts.dropped,
    ),
  ];
}
