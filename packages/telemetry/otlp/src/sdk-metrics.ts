import { resourceFromAttributes } from '@opentelemetry/resources';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { Agents, exporterConfig, SdkSender, type SdkExporter } from './sdk-sender.ts';
import type { ResolvedTarget } from './target.ts';

/** Everything of the SDK that metrics need; this module is imported only where metrics are exported. */
export interface MetricPipeline {
  /** Sends one slice. @param done called once: `undefined` for a success, else why not */
  send(metrics: MetricData[], done: (error: Error | undefined) => void): void;
  close(): Promise<void>;
}

/** Makes the SDK's exporter. */
export async function createMetricPipeline(
  target: ResolvedTarget,
  resource: Readonly<Record<string, string>>,
  scope: string,
): Promise<MetricPipeline> {
  const agents = new Agents(target);
  const { OTLPMetricExporter } =
    target.protocol === 'http/json'
      ? await import('@opentelemetry/exporter-metrics-otlp-http')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  const exporter: SdkExporter<ResourceMetrics> = new OTLPMetricExporter(exporterConfig(target, agents));
  const sender = new SdkSender(exporter, agents, target.timeoutMs);
  const whose = resourceFromAttributes({ ...resource });
  return {
    send: (metrics, done) =>
      sender.send({ resource: whose, scopeMetrics: [{ scope: { name: scope }, metrics }] }, done),
    close: async () => sender.close(),
  };
}
