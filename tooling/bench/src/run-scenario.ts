import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tulle/processes';
import { cpuUs, rssMb, ticks } from './cpu.ts';
import { LoadGenerator } from './load/generator.ts';
import type { OriginSetup } from './origin-process.ts';
import { endOf, listening, messageOf, pinnedFork, startPinned, stop } from './pinned.ts';
import type { Pki } from './pki.ts';
import { Measured, type Row } from './rows.ts';
import type { Scenario } from './scenarios.ts';
import type { Hop, RunningSubject, Subject } from './subjects/index.ts';

/** What a scenario came to. */
export interface ScenarioResult {
  readonly rows: readonly Row[];
  /** Subjects that broke; the others' figures hold. */
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly scenario: string;
  readonly subject: string;
  readonly variant: string;
  readonly error: string;
}

export interface RunOptions {
  readonly rounds: number;
  /** Length of a round; the scenario's own where it is not given. */
  readonly roundMs: number | undefined;
  readonly profileDirectory: string | undefined;
  /** Length of a round before those that count; default as they, at least 1500. */
  readonly warmUpMs?: number;
}

interface Running {
  readonly subject: Subject;
  readonly proxies: readonly RunningSubject[];
  readonly port: number;
  readonly scratch: string;
  readonly measured: Measured;
}

interface Ports {
  readonly http1Port: number;
  readonly http2Port: number;
  readonly collectorPort: number;
}

/** Rounds before those that count, until there were enough requests for a JIT compiler, but not more than so many. */
const WARM_UP_MS = 1500;
const WARM_UP_REQUESTS = 20_000;
const WARM_UP_ROUNDS = 3;
/** Longest that origin and collector take to listen. */
const START_MS = 10_000;

/**
 * Measures every subject in turn, round by round, so that what the machine does meets all of them alike. A subject that does
 * not start or loses a request is left out from then on.
 */
export async function runScenario(
  scenario: Scenario,
  subjects: readonly Subject[],
  options: RunOptions,
  pki: Pki,
  directory: string,
  progress: (text: string) => void,
): Promise<ScenarioResult> {
  const children: ChildProcess[] = [];
  const failures: Failure[] = [];
  const fail = ({ name, variant }: Subject, error: unknown): void => {
    failures.push({ scenario: scenario.name, subject: name, variant, error: (error as Error).message });
  };
  try {
    const generator = new LoadGenerator(children, directory);
    const origin = pinnedFork('./origin-process.ts', children);
    origin.send(originOf(scenario, pki));
    const collector = pinnedFork('./collector-process.ts', children);
    const ports: Ports = {
      ...(await messageOf<Omit<Ports, 'collectorPort'>>(origin, START_MS, 'the origin')),
      collectorPort: (await messageOf<{ port: number }>(collector, START_MS, 'the collector')).port,
    };
    let running: Running[] = [];
    for (const subject of subjects) {
      progress(`${scenario.name}: starting ${subject.name}/${subject.variant}`);
      try {
        running.push(await start(subject, scenario, ports, options, pki, directory, children));
      } catch (error) {
        fail(subject, error);
      }
    }
    const durationMs = options.roundMs ?? scenario.roundMs;
    const warmUp = unpaced(scenario);
    for (let round = -1; round < options.rounds; round++) {
      // There and back, so that a machine that grows slower or faster favours nobody.
      for (const one of round % 2 === 0 ? running : running.toReversed()) {
        const { name, variant } = one.subject;
        progress(
          `${scenario.name}: ${round < 0 ? 'warm-up' : `round ${round + 1} of ${options.rounds}`}, ${name}/${variant}`,
        );
        try {
          if (round < 0) {
            const ms = options.warmUpMs ?? Math.max(WARM_UP_MS, durationMs / 2);
            let requests = 0;
            for (let i = 0; i < WARM_UP_ROUNDS && requests < WARM_UP_REQUESTS; i++)
              requests += await measure(one, warmUp, generator, ms, pki, false);
          } else await measure(one, scenario, generator, durationMs, pki, true);
        } catch (error) {
          fail(one.subject, error);
          running = running.filter((other) => other !== one);
        }
      }
    }
    for (const one of running.filter(({ subject }) => subject.variant === 'observed')) {
      try {
        await checkTraces(collector, scenario.name);
      } catch (error) {
        fail(one.subject, error);
      }
    }
    return {
      rows: running.map(({ subject, measured }) => measured.row(scenario, subject, options.rounds)),
      failures,
    };
  } finally {
    await Promise.all(children.map(stop));
  }
}

/** As fast as it goes: at a thousand requests a second it would take minutes until a service's code is compiled. */
function unpaced(scenario: Scenario): Scenario {
  const { load } = scenario;
  if (load.kind !== 'http1' || load.ratePerSecond === undefined) return scenario;
  const { ratePerSecond: _, ...fast } = load;
  return { ...scenario, load: fast };
}

function originOf({ bodyBytes, load, upstreamTls }: Scenario, pki: Pki): OriginSetup {
  const sends = load.kind === 'http2' ? load.sends : 'request';
  return {
    bodyBytes,
    http2: ({ request: 'response', 'grpc-unary': 'grpc-unary', messages: 'grpc-echo' } as const)[sends],
    ...(upstreamTls ? { tls: { key: pki.originKeyPem, cert: pki.originCertPem, ca: pki.caPem } } : {}),
  };
}

async function start(
  subject: Subject,
  scenario: Scenario,
  ports: Ports,
  options: RunOptions,
  pki: Pki,
  directory: string,
  children: ChildProcess[],
): Promise<Running> {
  const protocol = subject.upstream?.(scenario) ?? scenario.upstream;
  const originPort = protocol === 'http2' ? ports.http2Port : ports.http1Port;
  const name = `${subject.name}-${subject.variant}`;
  const scratch = join(directory, scenario.name, name);
  const proxies: RunningSubject[] = [];
  const hops =
    subject.direct === true
      ? []
      : hopsOf(subject, scenario, protocol, originPort, await freePort(), await freePort());
  for (const hop of hops) {
    const own = join(scratch, hop.role);
    const log = join(own, 'output.log');
    let program: ChildProcess | undefined;
    mkdirSync(own, { recursive: true });
    proxies.push(
      await subject.start({
        scenario,
        hop,
        collectorPort: ports.collectorPort,
        pki,
        directory: own,
        profile:
          options.profileDirectory === undefined
            ? undefined
            : join(options.profileDirectory, `${scenario.name}-${name}`, hop.role),
        spawn(command, args) {
          program = startPinned(command, args, log, children);
          return { pid: program.pid as number };
        },
      }),
    );
    await listening(hop.listenPort, program, log);
  }
  return { subject, proxies, port: hops[0]?.listenPort ?? originPort, scratch, measured: new Measured() };
}

/** One proxy, or two with mutual TLS between them; the one that callers ask comes first. */
function hopsOf(
  subject: Subject,
  scenario: Scenario,
  upstreamProtocol: 'http1' | 'http2',
  originPort: number,
  listenPort: number,
  betweenPort: number,
): Hop[] {
  const downstream = { protocol: scenario.load.kind, tls: scenario.downstreamTls };
  const upstream = { protocol: upstreamProtocol, tls: scenario.upstreamTls };
  if (!scenario.pair) return [{ role: 'hop', listenPort, downstream, upstreamPort: originPort, upstream }];
  const between = { protocol: subject.between, tls: true };
  return [
    { role: 'outbound', listenPort, downstream, upstreamPort: betweenPort, upstream: between },
    { role: 'inbound', listenPort: betweenPort, downstream: between, upstreamPort: originPort, upstream },
  ];
}

/** One round. @returns how many requests were answered */
async function measure(
  { proxies, port, scratch, measured }: Running,
  scenario: Scenario,
  generator: LoadGenerator,
  durationMs: number,
  pki: Pki,
  counts: boolean,
): Promise<number> {
  const pids = (): number[] => proxies.flatMap((proxy) => [...proxy.pids()]);
  const before = usage(pids());
  const result = await generator.run(scenario, port, durationMs, pki);
  if (result.errors > 0 || result.requests === 0) {
    const outputs = proxies.length === 0 ? [] : proxies.length === 1 ? ['hop'] : ['outbound', 'inbound'];
    throw new Error(
      `${result.errors} of ${result.requests + result.errors} requests failed${result.firstError === undefined ? '' : `, first: ${result.firstError}`}; its output:\n${outputs.map((role) => endOf(join(scratch, role, 'output.log'))).join('\n')}`,
    );
  }
  if (!counts) return result.requests;
  const after = usage(pids());
  measured.add(result, {
    cpuUs: after.cpuUs - before.cpuUs,
    userTicks: after.user - before.user,
    allTicks: after.all - before.all,
    rssMb: pids().reduce((sum, pid) => sum + rssMb(pid), 0),
  });
  return result.requests;
}

function usage(pids: readonly number[]): { cpuUs: number; user: number; all: number } {
  const sum = { cpuUs: 0, user: 0, all: 0 };
  for (const pid of pids) {
    const { user, all } = ticks(pid);
    sum.cpuUs += cpuUs(pid);
    sum.user += user;
    sum.all += all;
  }
  return sum;
}

/** Without an export the figure would say nothing about traces. The last one comes some seconds after its first span. */
export async function checkTraces(collector: ChildProcess, what: string): Promise<void> {
  collector.send('await');
  const { exports } = await messageOf<{ exports: number }>(collector, 15_000, 'the collector');
  if (exports === 0) throw new Error(`${what}: no traces came to the collector`);
}
