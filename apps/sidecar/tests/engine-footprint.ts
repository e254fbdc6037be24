// Starts the engine of a sidecar with the capabilities that are named, as the supervisor's child does, and prints as JSON
// which packages that loaded and what it costs. `node --expose-gc engine-footprint.ts DIR [CAPABILITY…]`
import { registerHooks } from 'node:module';
import { join } from 'node:path';

const [directory = '.', ...capabilities] = process.argv.slice(2);
const packages = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    const [, name] =
      /\/packages\/(?:[^/]+)\/([^/]+)\/src\//.exec(url) ??
      /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url) ??
      [];
    if (name !== undefined) packages.add(name);
    return nextLoad(url, context);
  },
});
const { createSidecarEngine } = await import('../src/engine.ts');
const { stderrLog } = await import('@tulle/supervisor');

const engine = await createSidecarEngine({
  settings: {
    workload: 'web',
    namespace: 'default',
    version: undefined,
    app: 'web',
    cluster: 'mesh',
    principal: 'spiffe://test.local/ns/default/sa/web',
    capabilities: capabilities as never,
    accessLog: { file: join(directory, 'access.log') },
    telemetry: { otlp: { endpoint: 'http://127.0.0.1:9' } },
    filters: undefined,
    drainWindowMs: 0,
  },
  discover: undefined,
  slot: 0,
  workers: 1,
  generation: 1,
  listeners: { acquire: async () => Promise.reject(new Error('no listener is asked for')) },
  identity: undefined,
  identities: () => undefined,
  adminAddress: { path: join(directory, 'admin.sock') },
  tokens: undefined,
  log: stderrLog,
});
const { request } = await import('node:http');
const status = await new Promise<number | undefined>((resolve, reject) => {
  request({ socketPath: join(directory, 'admin.sock'), path: '/stats/prometheus', agent: false }, (reply) =>
    resolve(reply.resume().statusCode),
  )
    .on('error', reject)
    .end();
});
(globalThis as { gc?: () => void }).gc?.();
const { heapUsed, rss } = process.memoryUsage();
process.stdout.write(
  `${JSON.stringify({ packages: [...packages].toSorted(), metricsPage: status, heapUsed, rss })}\n`,
);
await engine.close();
process.exit(0);
