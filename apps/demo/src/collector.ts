import { fileURLToPath } from 'node:url';
import { startChild, type Child } from './child.ts';
import { demoDirectory } from './tulle.ts';

/** A span as the collector holds it. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent where the trace begins. */
  readonly parentSpanId?: string;
  /** 2 server, 3 client. */
  readonly kind: number;
  readonly resource: { readonly 'service.name': string };
}

/** An OTLP collector as a process of its own. */
export interface Collector {
  readonly child: Child;
  /** For exporters. */
  readonly otlpUrl: string;
  /** For people and scenes: `/spans`, `/points`, `/faults`. */
  readonly heldUrl: string;
  spans(): Promise<readonly Span[]>;
  /** What came and could not be read. */
  faults(): Promise<readonly string[]>;
}

/** Starts it; resolves when it takes spans. */
export async function startCollector(started: (child: Child) => void): Promise<Collector> {
  const main = fileURLToPath(import.meta.resolve('@tulle/otlp-collector/main'));
  const child = startChild({
    name: 'collector',
    command: [process.execPath, main],
    env: {},
    cwd: demoDirectory,
  });
  started(child);
  const [, otlpUrl = '', heldUrl = ''] = await child.said(/OTLP at (\S+), what it holds at (\S+)\n/);
  const held = async <T>(path: string): Promise<T> => (await (await fetch(heldUrl + path)).json()) as T;
  return {
    child,
    otlpUrl,
    heldUrl,
    spans: async () => held('/spans'),
    faults: async () => held('/faults'),
  };
}
