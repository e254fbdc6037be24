/**
 * What changes cost as a mesh grows: `node --expose-gc packages/control/plane/bench/scale.ts [services] [proxies]
 * [upstreams]` (default 1000 200 10). Every proxy calls the first Service and some others, and has a stream at the real
 * ADS state machine that answers everything at once. A time is that of one apply until everything is handed to the
 * streams of the proxies that it concerns, serialised; there is no network. The state is kept in memory, but for the last line:
 * what one save to the disk of the temporary directory takes of an apply, flushed.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import type { HTTPRoute, Resource, Service, Workload } from '@tulle/resources';
import {
  createComparer,
  createDeltaStream,
  createResourceEncoder,
  type DeltaResponse,
  type DeltaStream,
} from '@tulle/xds-server';
import { createControlPlane, fileState } from '../src/index.ts';

const [services = 1000, proxies = 200, upstreams = 10] = process.argv.slice(2).map(Number);
const ROUNDS = 100;

const meta = (name: string): { name: string; namespace: string } => ({ name, namespace: 'default' });
const service = (i: number): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(`s${i}`),
  spec: { selector: { app: `s${i}` }, ports: [{ port: 80 }] },
});
const workload = (i: number, weight: number): Workload => ({
  apiVersion: 'tulle.dev/v1alpha1',
  kind: 'Workload',
  metadata: { ...meta(`w${i}`), labels: { app: `s${i}` } },
  spec: {
    address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    ports: [{ port: 80 }],
    inbound: { mode: 'sidecar', port: 15006 },
    weight,
  },
});
const route = (i: number, weight: number): HTTPRoute => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: meta(`s${i}`),
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: `s${i}` }],
    rules: [
      {
        backendRefs: [
          { name: `s${i}`, port: 80, weight: 100 },
          { name: `s${i + 1}`, port: 80, weight },
        ],
      },
    ],
  },
});
const policy = (path: number): Resource => ({
  apiVersion: 'tulle.dev/v1alpha1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'mesh', namespace: 'tulle-system' },
  spec: { action: 'DENY', rules: [{ to: { paths: [`/admin${path}*`] } }] },
});

const encoder = createResourceEncoder();
const comparer = createComparer(encoder, 50 * 1024 * 1024);
const plane = createControlPlane({ trustDomain: 'mesh.local' });
const print = (line: string): void => void process.stdout.write(`${line}\n`);
let sent = 0;
let resources = 0;
const dirty = new Set<() => void>();

function join(i: number): void {
  const own = new Set([
    0,
    ...Array.from({ length: upstreams - 1 }, (_, k) => (i * 7 + k * 13 + 1) % services),
  ]);
  const identity = `spiffe://mesh.local/ns/default/sa/p${i}`;
  const handle = plane.provider.open({
    id: `${identity}~1`,
    cluster: `p${i}`,
    metadata: {
      workload: `p${i}`,
      labels: { app: `s${i % services}` },
      ports: [8080],
      inbound: { address: '127.0.0.1', port: 15_006 },
      upstreams: [...own].map((s, k) => ({ service: `s${s}`, localPort: 9000 + k })),
    },
    identity,
    userAgent: 'bench',
    extensions: ['tulle.http.authz@0.1.0', 'tulle.http.retry@0.1.0'],
  });
  const unanswered: DeltaResponse[] = [];
  const stream: DeltaStream = createDeltaStream({
    atomic: true,
    comparer,
    limits: {
      maxSubscriptions: 100_000,
      maxOutstanding: 1000,
      maxResponseBytes: 1 << 20,
      ackTimeoutMs: 0,
      dependencyWaitMs: 0,
    },
    current: () => handle.current(),
    send(response) {
      sent += 1;
      resources += response.resources.length;
      unanswered.push(response);
    },
    report: (report) => handle.acked(report),
    upToDate: (kind, change) => handle.upToDate?.(kind, change),
    nowMs: () => 0,
    epochMs: () => 0,
  });
  const ask = (kind: DeltaResponse['kind'], nonce: string, subscribe: string[] = []): void =>
    stream.request({ kind, nonce, subscribe, unsubscribe: [], initialVersions: {} });
  const move = (): void => {
    stream.changed();
    for (let one = unanswered.shift(); one !== undefined; one = unanswered.shift()) ask(one.kind, one.nonce);
  };
  for (const kind of ['route', 'endpoint', 'cluster', 'listener'] as const) ask(kind, '', ['*']);
  move();
  handle.subscribe(() => dirty.add(move));
}

function settle(): void {
  plane.flush();
  for (const move of dirty) move();
  dirty.clear();
}

/** Times of one kind of change, in milliseconds, and what it had to serialise. */
function measure(name: string, change: (round: number) => readonly Resource[]): void {
  const times: number[] = [];
  const before = { encoded: encoder.encoded(), sent, resources };
  for (let round = 0; round < ROUNDS; round++) {
    const put = change(round);
    const started = performance.now();
    plane.apply(put, []);
    settle();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const per = (n: number): string => (n / ROUNDS).toFixed(1).padStart(9);
  print(
    `${name.padEnd(34)}${times[ROUNDS / 2]!.toFixed(2).padStart(9)}${times[ROUNDS - 1]!.toFixed(2).padStart(9)}` +
      `${per(resources - before.resources)}${per(encoder.encoded() - before.encoded)}`,
  );
}

const mib = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
plane.apply(Array.from({ length: services }, (_, i) => [service(i), workload(i, 1)]).flat(), []);
plane.apply([route(0, 1), policy(0)], []);
settle();
const started = performance.now();
for (let i = 0; i < proxies; i++) join(i);
settle();
const joined = performance.now() - started;
globalThis.gc?.();
const { rss, heapUsed } = process.memoryUsage();
print(
  `${services} Services, ${proxies} proxies with ${upstreams} upstreams each: joined in ${joined.toFixed(0)} ms, ` +
    `${resources} resources sent, ${encoder.encoded()} serialised; ${mib(heapUsed)} heap, ${mib(rss)} RSS`,
);
print(`${'one change of'.padEnd(34)}   p50 ms   max ms     sent serialised`);
measure('an endpoint of a seldom Service', (round) => [workload(services - 1, 2 + (round % 2))]);
measure('an endpoint of a Service for all', (round) => [workload(0, 2 + (round % 2))]);
measure('weights of a route for all', (round) => [route(0, 2 + (round % 2))]);
measure('an authorization policy for all', (round) => [policy(1 + (round % 2))]);
await plane.close();

const directory = mkdtempSync(joinPath(tmpdir(), 'tulle-scale-'));
try {
  const file = joinPath(directory, 'state');
  const state = fileState(file);
  const held = plane.resources().map(({ resource }) => resource);
  const times = Array.from({ length: 20 }, () => {
    const startedMs = performance.now();
    state.save({ resources: held, workloads: [] });
    return performance.now() - startedMs;
  }).toSorted((a, b) => a - b);
  print(
    `the state of ${held.length} resources is ${(statSync(file).size / 1024).toFixed(0)} KiB; ` +
      `to save it takes ${times[10]!.toFixed(1)} ms (p50), ${times[19]!.toFixed(1)} ms at most`,
  );
} finally {
  rmSync(directory, { recursive: true });
}
