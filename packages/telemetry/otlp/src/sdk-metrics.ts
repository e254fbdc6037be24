import { createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import {
  JsonMetricsSerializer,
  MetricsExporterMetricsHelper,
  ProtobufMetricsSerializer,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { Agents, MAX_CONCURRENT, SdkSender, USER_AGENT, type SdkExporter } from './sdk-sender.ts';
import type { ResolvedTarget } from './target.ts';

/** Everything of the SDK that metrics need; this module is imported only where metrics are exported. */
export interface MetricPipeline {
  /** Sends one slice. @param done called once: `undefined` for a success, else why not */
  send(metrics: MetricData[], done: (error: Error | undefined) => void): void;
  close(): Promise<void>;
}

/**
 * Makes what the SDK's metric exporters are a shell around: its sender and its encoding. The exporters themselves bring
 * the SDK's own registry along (decision 010).
 */
export function createMetricPipeline(
  target: ResolvedTarget,
  resource: Readonly<Record<string, string>>,
  scope: string,
): MetricPipeline {
  const agents = new Agents(target);
  const json = target.protocol === 'http/json';
  const headers = {
    ...target.headers,
    'Content-Type': json ? 'application/json' : 'application/x-protobuf',
  };
  const exporter: SdkExporter<ResourceMetrics> = createOtlpHttpExportDelegate(
    {
      url: target.url,
      headers: () => Promise.resolve(headers),
      timeoutMillis: target.timeoutMs,
      compression: target.compression,
      concurrencyLimit: MAX_CONCURRENT,
      agentFactory: (protocol) => agents.make(protocol),
      userAgent: USER_AGENT,
    },
    json ? JsonMetricsSerializer : ProtobufMetricsSerializer,
    'otlp_http_metric_exporter',
    MetricsExporterMetricsHelper,
    undefined,
  );
  const sender = new SdkSender(exporter, agents, target.timeoutMs);
  const whose = resourceFromAttributes({ ...resource });
  return {
    send: (metrics, done) =>
      sender.send({ resource: whose, scopeMetrics: [{ scope: { name: scope }, metrics }] }, done),
    close: async () => sender.close(),
  };
}
