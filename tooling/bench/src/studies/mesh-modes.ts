import { fileURLToPath } from 'node:url';
import { namespaces } from '@tulle/net-tests/network';
import { Nodes, PORT, type Node, type Pod } from '@tulle/net-tests/nodes';
import { enginesOf } from '@tulle/net-tests/process-tree';
import { runToEnd } from '@tulle/processes';
import { cpuUs, pssMb } from '../cpu.ts';
import type { Http1Round, RoundResult } from '../load/round.ts';
import { median } from '../stats.ts';
import type { Study } from './study.ts';

const LOAD = fileURLToPath(new URL('../namespace-load-process.ts', import.meta.url));

/** What a mesh is asked of one caller: far from what a core can do, so that latency is not that of a queue. */
const RATE_PER_SECOND = 1_000;
const CONNECTIONS = 16;
const ROUND_MS = 2_000;
/** Of the node proxy whose memory is told a second time. */
const WORKLOADS = 10;

/** A way from a caller to a server, and the proxies on it. */
interface Mode {
  readonly name: string;
  readonly what: string;
  readonly from: Pod;
  readonly host: string;
  readonly port: number;
  /** Supervisors. */
  proxies(): readonly number[];
}

/** What a mode came to. */
export interface ModeFigures {
  readonly name: string;
  readonly what: string;
  /** Of all processes of its proxies, a request. */
  readonly cpuUsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Proportional set size of its proxies, for each workload of the two. */
  readonly memoryMbPerWorkload: number;
}

/** The same call direct, by two sidecars, and by two node proxies, all led there by the kernel. */
export const meshModes: Study = {
  name: 'mesh-modes',
  about: `sidecar pair, node-proxy pair and direct: CPU a request, latency at ${RATE_PER_SECOND} requests/s, memory a workload (root)`,
  async run({ options, progress }) {
    const missing = await namespaces.missing();
    if (missing !== undefined) return { text: `skipped: ${missing}\n`, figures: { skipped: missing } };
    const nodes = new Nodes();
    const interrupted = (): void => void nodes.close().finally(() => process.exit(130));
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
    try {
      progress('mesh-modes: two nodes');
      const modes = await openModes(nodes);
      const rounds = new Map(modes.map(({ name }) => [name, [] as Measured[]]));
      for (let round = 0; round <= options.rounds; round++)
        for (const mode of round % 2 === 0 ? modes : modes.toReversed()) {
          progress(`mesh-modes: ${mode.name}, round ${round} of ${options.rounds}`);
          const measured = await measure(mode, options.roundMs ?? ROUND_MS);
          if (round > 0) rounds.get(mode.name)?.push(measured); // the first warms up
        }
      const figures = modes.map((mode) => figuresOf(mode, rounds.get(mode.name) ?? []));
      progress(`mesh-modes: memory of ${WORKLOADS} workloads`);
      const nodeProxy = await growth(nodes);
      return { text: textOf(figures, nodeProxy), figures: { modes: figures, nodeProxy } };
    } finally {
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      await nodes.close();
    }
  },
};

async function openModes(nodes: Nodes): Promise<Mode[]> {
  await nodes.open([['caller'], ['server']]);
  const { one, two } = nodes;
  const bare = [one.addPod('bare-caller'), two.addPod('bare-server')] as const;
  nodes.startPeer(bare[1]);
  const beside = [one.addPod('side-caller'), two.addPod('side-server')] as const;
  nodes.startPeer(beside[1]);
  const sidecars = [await nodes.captured(beside[0], []), await nodes.captured(beside[1], [PORT])];
  await nodes.apply(`apiVersion: v1
kind: Service
metadata: { name: side-server }
spec: { selector: { app: side-server }, ports: [{ name: http, port: 80, targetPort: ${PORT} }] }
`);
  const [caller, server] = [one.pods[0] as Pod, two.pods[0] as Pod];
  const modes: Mode[] = [
    {
      name: 'direct',
      what: 'no proxy, plain text',
      from: bare[0],
      host: bare[1].address,
      port: PORT,
      proxies: () => [],
    },
    {
      name: 'sidecar pair',
      what: 'HTTP, mutual TLS, routes, policies, metrics and access records',
      from: beside[0],
      host: 'side-server',
      port: 80,
      proxies: () => sidecars.map(({ pid }) => pid),
    },
    {
      name: 'node-proxy pair',
      what: 'connections, tunnels over mutual TLS, policies',
      from: caller,
      host: server.address,
      port: PORT,
      proxies: () => [one.proxy.pid, two.proxy.pid],
    },
  ];
  for (const mode of modes) await answered(mode);
  return modes;
}

async function load({ from, host, port }: Mode, more: Partial<Http1Round>): Promise<RoundResult> {
  const round: Http1Round = {
    kind: 'http1',
    host,
    port,
    connections: CONNECTIONS,
    durationMs: ROUND_MS,
    newConnections: false,
    ...more,
  };
  const output = await runToEnd('nsenter', [
    `--net=/run/netns/${from.place.name}`,
    ...[process.execPath, LOAD, JSON.stringify(round)],
  ]);
  return JSON.parse(output) as RoundResult;
}

/** What a Service leads to is there within moments. @throws Error with what is answered instead */
async function answered(mode: Mode): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const { requests, errors, firstError } = await load(mode, { connections: 1, durationMs: 100 });
    if (requests > 0 && errors === 0) return;
    if (performance.now() > deadlineMs) throw new Error(`${mode.name}: ${firstError ?? 'no answer'}`);
  }
}

interface Measured extends RoundResult {
  readonly cpuUsPerRequest: number;
}

const processesOf = (supervisor: number): readonly number[] => [supervisor, ...enginesOf(supervisor)];

async function measure(mode: Mode, durationMs: number): Promise<Measured> {
  const pids = mode.proxies().flatMap(processesOf);
  const spent = (): number => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const before = spent();
  const result = await load(mode, { durationMs, ratePerSecond: RATE_PER_SECOND });
  if (result.errors > 0)
    throw new Error(`${mode.name}: ${result.errors} requests failed, first ${result.firstError ?? ''}`);
  return { ...result, cpuUsPerRequest: (spent() - before) / result.requests };
}

function memoryMb(supervisors: readonly number[]): number {
  return supervisors.flatMap(processesOf).reduce((sum, pid) => sum + pssMb(pid), 0);
}

function figuresOf(mode: Mode, rounds: readonly Measured[]): ModeFigures {
  const middle = (of: (one: Measured) => number): number => median(rounds.map(of));
  return {
    name: mode.name,
    what: mode.what,
    cpuUsPerRequest: middle((one) => one.cpuUsPerRequest),
    p50Ms: middle((one) => one.p50Ms),
    p99Ms: middle((one) => one.p99Ms),
    memoryMbPerWorkload: memoryMb(mode.proxies()) / 2,
  };
}

interface Growth {
  readonly workloads: number;
  readonly memoryMb: number;
  readonly memoryMbOfOne: number;
}

/** The node proxy of the server with more workloads, each of which calls nobody. */
async function growth(nodes: Nodes): Promise<Growth> {
  const node: Node = nodes.two;
  const memoryMbOfOne = memoryMb([node.proxy.pid]);
  for (let n = 1; n < WORKLOADS; n++) await nodes.add(node, node.addPod(`more${n}`));
  await nodes.serving(node, WORKLOADS);
  return { workloads: WORKLOADS, memoryMb: memoryMb([node.proxy.pid]), memoryMbOfOne };
}

function textOf(
  figures: readonly ModeFigures[],
  { workloads, memoryMb: many, memoryMbOfOne }: Growth,
): string {
  const rows = figures.map(({ name, cpuUsPerRequest, p50Ms, p99Ms, memoryMbPerWorkload, what }) =>
    [
      name.padEnd(16),
      cpuUsPerRequest.toFixed(0).padStart(14),
      p50Ms.toFixed(2).padStart(8),
      p99Ms.toFixed(2).padStart(8),
      memoryMbPerWorkload.toFixed(0).padStart(15),
      `  ${what}`,
    ].join(' '),
  );
  const each = (many - memoryMbOfOne) / (workloads - 1);
  return [
    `${'mode'.padEnd(16)} ${'CPU us/request'.padStart(14)} ${'p50 ms'.padStart(8)} ${'p99 ms'.padStart(8)} ${'MiB/workload'.padStart(15)}   what is on`,
    ...rows,
    `HTTP/1.1 at ${RATE_PER_SECOND} requests/s on ${CONNECTIONS} connections; CPU and memory (PSS) of all processes of the proxies, both sides.`,
    `The node proxies of the table have one workload each. One with ${workloads}: ${many.toFixed(0)} MiB, ${(many / workloads).toFixed(0)} a workload, ${each.toFixed(1)} for each further one.`,
    '',
  ].join('\n');
}
