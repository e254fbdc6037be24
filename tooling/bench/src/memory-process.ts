// Tulle's engine as one process that tells what memory it has, without what is garbage.
import { setImmediate as turn } from 'node:timers/promises';
import { benchProxy, type BenchSetup } from './bench-proxy.ts';

/** What a process has, bytes. */
export interface Memory {
  readonly rss: number;
  /** V8's heap and what its objects own outside of it. */
  readonly live: number;
}

const proxy = benchProxy(JSON.parse(process.argv[2] ?? '{}') as BenchSetup);
await proxy.start();
process.on('message', () => void tell());
process.send?.('ready');

async function tell(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await turn();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({ rss, live: heapUsed + external } satisfies Memory);
}
