// Tulle's engine as one process that is asked for more than it, or the origin behind it, can give.
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { CONTINUE, defineHttpFilter } from '@tulle/filter';
import { adaptiveConcurrency } from '@tulle/filter-adaptive-concurrency';
import { nodeResourceMonitor } from '@tulle/proxy';
import { benchProxy } from './bench-proxy.ts';

/** What such a Tulle is told. */
export interface OverloadSetup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly adminPort: number;
  readonly accessLogFile: string;
  /** Each request has a signature verified (P-384), as a token's would be: half a millisecond. */
  readonly work: boolean;
  /** The overload manager is on, by its defaults. */
  readonly sheds: boolean;
  /** A loop is late also where others have the processor: for machines that do other things meanwhile. */
  readonly lateAnyway?: boolean;
  /** Adaptive concurrency is on, by its defaults. */
  readonly adapts: boolean;
}

const setup = JSON.parse(process.argv[2] ?? '{}') as OverloadSetup;

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const signed = Buffer.from('subject=alice&scope=items');
const signature = sign('sha384', signed, privateKey);

const verifying = defineHttpFilter<Record<string, never>>({
  apiVersion: 1,
  id: 'bench/verifying',
  config: {
    '~standard': { version: 1, vendor: 'bench', validate: () => ({ value: {} }) },
    jsonSchema: {},
  },
  create: () => ({
    requestHeaders: (stream) =>
      verify('sha384', signed, publicKey, signature) ? CONTINUE : stream.reply(401, 'BENCH_SIGNATURE'),
  }),
});

const UNBOUNDED = { maxConnections: 1_000_000, maxPendingRequests: 1_000_000, maxRequests: 1_000_000 };

const proxy = benchProxy(
  {
    listenPort: setup.listenPort,
    originPort: setup.originPort,
    mesh: true,
    accessLogFile: setup.accessLogFile,
    tls: null,
    limits: UNBOUNDED,
    filters: {
      http: [...(setup.adapts ? [adaptiveConcurrency({})] : []), ...(setup.work ? [verifying({})] : [])],
    },
  },
  {
    admin: { host: '127.0.0.1', port: setup.adminPort },
    ...(setup.sheds ? {} : { overload: false as const }),
    ...(setup.lateAnyway === true ? { monitor: nodeResourceMonitor(() => performance.now()) } : {}),
  },
);
await proxy.start();
process.send?.('ready');
process.once('SIGTERM', () => {
  void proxy.stop().then(() => process.exit(0));
});
