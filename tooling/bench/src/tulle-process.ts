// Tulle's engine as one process.
import { benchProxy, type BenchSetup } from './bench-proxy.ts';

const proxy = benchProxy(JSON.parse(process.argv[2] ?? '{}') as BenchSetup);
await proxy.start();
// Ends by itself, so that a CPU profile is written.
process.once('SIGTERM', () => {
  void proxy.stop().then(() => process.exit(0));
});
