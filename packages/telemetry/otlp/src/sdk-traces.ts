import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { Agents, exporterConfig, SdkSender, type SdkExporter } from './sdk-sender.ts';
import type { ResolvedTarget } from './target.ts';

/** Everything of the SDK that traces need; this module is imported only where spans are made. */
export interface TracePipeline {
  readonly resource: Resource;
  readonly processor: BatchSpanProcessor;
  close(): Promise<void>;
}

/** What a pipeline is made of. */
export interface TracePipelineOptions {
  readonly target: ResolvedTarget;
  readonly resource: Readonly<Record<string, string>>;
  readonly maxQueuedSpans: number;
  readonly maxBatchSpans: number;
  readonly delayMs: number;
  /** A batch is over. */
  readonly onExported: (spans: number, error: Error | undefined) => void;
}

/** Makes the SDK's batching processor with its exporter. */
export async function createTracePipeline(options: TracePipelineOptions): Promise<TracePipeline> {
  const { target, onExported } = options;
  const agents = new Agents(target);
  const { OTLPTraceExporter } =
    target.protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  const exporter: SdkExporter<ReadableSpan[]> = new OTLPTraceExporter(exporterConfig(target, agents));
  const sender = new SdkSender(exporter, agents, target.timeoutMs);
  const processor = new BatchSpanProcessor(
    {
      export(spans, done) {
        // The span that fills a batch ends inside a request's last turn: encoding waits for a turn of its own.
        setImmediate(() => {
          sender.send(spans, (error) => {
            onExported(spans.length, error);
            done(error === undefined ? { code: 0 } : { code: 1, error });
          });
        });
      },
      shutdown: async () => sender.close(),
    },
    // All of it is given, so that the processor reads no environment: `Environment` did, and complained.
    {
      maxQueueSize: options.maxQueuedSpans,
      maxExportBatchSize: options.maxBatchSpans,
      scheduledDelayMillis: options.delayMs,
      // Ours is shorter.
      exportTimeoutMillis: target.timeoutMs + 10_000,
    },
  );
  return {
    resource: resourceFromAttributes({ ...options.resource }),
    processor,
    close: async () => sender.close(),
  };
}
