import type { SelfLabels } from '@tulle/parties';
import type { Meter, TelemetryPlugin, Tracers, TracingSettings } from '@tulle/telemetry';
import type { HandlerExporter, ProvidedTracing } from './handler-exporter.ts';

/** Options of {@link tracers}. */
export interface TracersOptions {
  /** Who the proxy speaks for: attributes of spans, and the service's name in Zipkin. */
  readonly self?: SelfLabels;
  /** Where spans are counted (`tulle_tracing_spans_*_total`), by the cluster that they are sent to. */
  readonly meter?: Meter;
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Sends the spans of handlers. */
export interface TracersPlugin extends TelemetryPlugin {
  readonly tracers: Tracers & Required<Pick<Tracers, 'flush'>>;
}

/**
 * Sends the spans of handlers whose configuration says where to (`HttpHandler.tracing`, Envoy's `tracing`): OTLP over HTTP
 * or gRPC, or Zipkin, to clusters of the proxy. `createProxy({ telemetry: [tracers()] })`. Nothing is loaded, and no
 * request costs more, where the configuration asks for none.
 */
export function tracers(options: TracersOptions = {}): TracersPlugin {
  const open = new Set<HandlerExporter>();
  return {
    name: 'tracers',
    tracers: {
      kinds: ['otlp', 'zipkin'],
      async open(given, host, about) {
        const tracing = given as ProvidedTracing;
        const { createHandlerExporter } = await import('./handler-exporter.ts');
        const exporter = createHandlerExporter(tracing, host, about, options);
        open.add(exporter);
        return {
          settings: settingsOf(tracing, about),
          sink: {
            name: exporter.name,
            record: (record) => exporter.record(record),
            flush: async () => exporter.flush(),
            async close() {
              open.delete(exporter);
              await exporter.close();
            },
          },
        };
      },
      async flush() {
        await Promise.all([...open].map(async (exporter) => exporter.flush()));
      },
    },
  };
}

function settingsOf(
  { provider, ...sampling }: ProvidedTracing,
  { outbound }: { readonly outbound: boolean },
): TracingSettings {
  const {
    overallSamplingPercent = 100,
    randomSamplingPercent = 100,
    clientSamplingPercent = 100,
    samplesAll = false,
  } = sampling;
  const overall = overallSamplingPercent / 100;
  const zipkin = provider.kind === 'zipkin';
  const sampler = zipkin ? undefined : provider.sampler;
  const ratio = sampler === undefined || sampler === 'always' ? 1 : sampler.percent / 100;
  return {
    ...(sampler === undefined
      ? samplesAll
        ? { sampleRatio: 1 }
        : {
            sampleRatio: (randomSamplingPercent / 100) * overall,
            clientSampleRatio: (clientSamplingPercent / 100) * overall,
            routesDecide: true,
          }
      : {
          sampleRatio: ratio,
          overridesCaller: sampler === 'always' || sampler.parentBased !== true,
        }),
    respectParent: true,
    extract: zipkin ? ['b3'] : ['w3c'],
    inject: zipkin ? ['b3multi'] : ['w3c'],
    spanPerAttempt: sampling.spawnUpstreamSpan ?? true,
    ...(zipkin
      ? {
          shortTraceIds: provider.longTraceIds !== true,
          // Envoy shares the spans of requests that come in.
          sharedSpan: (provider.sharedSpan ?? true) && !outbound,
        }
      : {}),
  };
}
