import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuUs, rssMb, ticks } from './cpu.ts';
import { findProgram } from './find-program.ts';
import type { Pki } from './pki.ts';
import type { Scenario } from './scenarios.ts';
import { median, spread } from './stats.ts';
import type { RunningSubject, Subject } from './subjects/subject.ts';

/** One line of the result; medians over the rounds. */
export interface Row {
  readonly scenario: string;
  readonly subject: string;
  readonly variant: string;
  readonly cpuUsPerRequest: number;
  readonly cpuUsSpread: readonly [number, number];
  /** The figure of each round, so that rounds can be compared one by one. */
  readonly cpuUsOfRounds: readonly number[];
  /** The median split by the share of ticks that all rounds spent in user mode. */
  readonly cpuUserUs: number;
  readonly cpuSystemUs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMb: number;
  readonly rounds: number;
}

interface Measured {
  cpu: number[];
  userTicks: number;
  allTicks: number;
  rate: number[];
  p50: number[];
  p99: number[];
  rss: number[];
}
interface ClientResult {
  readonly requests: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seconds: number;
}

/** Where things run: the subject alone on one core, client and origin on the other. */
const SUBJECT_CORE = '0';
const OTHER_CORE = '1';

/** Measures every subject in turn, round by round, so that what the machine does meets all of them alike. */
export async function runScenario(
  scenario: Scenario,
  subjects: readonly Subject[],
  options: {
    readonly rounds: number;
    readonly roundMs: number | undefined;
    readonly profileDirectory: string | undefined;
  },
  pki: Pki,
  directory: string,
  progress: (text: string) => void,
): Promise<Row[]> {
  const children: ChildProcess[] = [];
  try {
    const client = pinnedFork('./client-process.ts', children);
    const origin = pinnedFork('./origin-process.ts', children);
    origin.send({
      bodyBytes: scenario.bodyBytes,
      ...(scenario.upstreamTls
        ? { tls: { key: pki.originKeyPem, cert: pki.originCertPem, ca: pki.caPem } }
        : {}),
    });
    const [{ port: originPort }] = (await once(origin, 'message')) as [{ port: number }];
    const collector = pinnedFork('./collector-process.ts', children);
    const [{ port: collectorPort }] = (await once(collector, 'message')) as [{ port: number }];
    const running: { subject: Subject; process: RunningSubject; port: number; measured: Measured }[] = [];
    for (const subject of subjects) {
      const name = `${subject.name}-${subject.variant}`;
      const scratch = join(directory, scenario.name, name);
      mkdirSync(scratch, { recursive: true });
      const port = await freePort();
      const process_ = await subject.start({
        scenario,
        originPort,
        listenPort: port,
        collectorPort,
        pki,
        directory: scratch,
        profile:
          options.profileDirectory === undefined
            ? undefined
            : join(options.profileDirectory, `${scenario.name}-${name}`),
        spawn: (command, args) => startPinned(command, args, join(scratch, 'output.log'), children),
      });
      await listening(port, join(scratch, 'output.log'), name);
      running.push({
        subject,
        process: process_,
        port,
        measured: { cpu: [], userTicks: 0, allTicks: 0, rate: [], p50: [], p99: [], rss: [] },
      });
    }
    const durationMs = options.roundMs ?? scenario.roundMs;
    for (let round = -1; round < options.rounds; round++) {
      // There and back, so that a machine that grows slower or faster favours nobody.
      const order = round % 2 === 0 ? running : running.toReversed();
      for (const { subject, process: process_, port, measured } of order) {
        progress(
          `${scenario.name}: ${round < 0 ? 'warm-up' : `round ${round + 1} of ${options.rounds}`}, ${subject.name}/${subject.variant}`,
        );
        const before = total(process_);
        const ticksBefore = totalTicks(process_);
        client.send({
          port,
          connections: scenario.connections,
          durationMs: round < 0 ? Math.max(1500, durationMs / 2) : durationMs,
        });
        const [result] = (await once(client, 'message')) as [ClientResult];
        if (result.errors > 0 || result.requests === 0) {
          throw new Error(
            `${scenario.name} ${subject.name}/${subject.variant}: ${result.errors} of ${result.requests + result.errors} requests failed; see its output:\n${readFileSync(join(directory, scenario.name, `${subject.name}-${subject.variant}`, 'output.log'), 'utf8').slice(-2000)}`,
          );
        }
        if (round < 0) continue;
        measured.cpu.push((total(process_) - before) / result.requests);
        const ticksAfter = totalTicks(process_);
        measured.userTicks += ticksAfter.user - ticksBefore.user;
        measured.allTicks += ticksAfter.all - ticksBefore.all;
        measured.rate.push(result.requests / result.seconds);
        measured.p50.push(result.p50Ms);
        measured.p99.push(result.p99Ms);
        measured.rss.push(process_.pids().reduce((sum, pid) => sum + rssMb(pid), 0));
      }
    }
    if (subjects.some(({ variant }) => variant === 'observed')) await checkTraces(collector, scenario.name);
    return running.map(({ subject, measured }) => rowOf(scenario, subject, measured, options.rounds));
  } finally {
    await Promise.all(children.map(stop));
  }
}

/** Without an export the figure would say nothing about traces. The last one comes some seconds after its first span. */
export async function checkTraces(collector: ChildProcess, what: string): Promise<void> {
  collector.send('await');
  const [{ exports }] = (await once(collector, 'message')) as [{ exports: number }];
  if (exports === 0) throw new Error(`${what}: no traces came to the collector`);
}

function rowOf(scenario: Scenario, subject: Subject, measured: Measured, rounds: number): Row {
  const cpu = median(measured.cpu);
  const userShare = measured.allTicks === 0 ? 0 : measured.userTicks / measured.allTicks;
  return {
    scenario: scenario.name,
    subject: subject.name,
    variant: subject.variant,
    cpuUsPerRequest: rounded(cpu),
    cpuUsSpread: spread(measured.cpu).map(rounded) as [number, number],
    cpuUsOfRounds: measured.cpu.map(rounded),
    cpuUserUs: rounded(cpu * userShare),
    cpuSystemUs: rounded(cpu * (1 - userShare)),
    requestsPerSecond: Math.round(median(measured.rate)),
    p50Ms: rounded(median(measured.p50)),
    p99Ms: rounded(median(measured.p99)),
    rssMb: rounded(median(measured.rss)),
    rounds,
  };
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
const total = (subject: RunningSubject): number => subject.pids().reduce((sum, pid) => sum + cpuUs(pid), 0);

function totalTicks(subject: RunningSubject): { user: number; all: number } {
  const sum = { user: 0, all: 0 };
  for (const pid of subject.pids()) {
    const { user, all } = ticks(pid);
    sum.user += user;
    sum.all += all;
  }
  return sum;
}

function startPinned(
  command: string,
  args: readonly string[],
  logFile: string,
  children: ChildProcess[],
): { pid: number } {
  const log = openSync(logFile, 'a');
  const [program, ...rest] = pinned(SUBJECT_CORE, command, args);
  const child = spawn(program as string, rest, { stdio: ['ignore', log, log] });
  children.push(child);
  return { pid: child.pid as number };
}

/** `taskset` execs the program, so its process id stays the one we know. */
function pinned(core: string, command: string, args: readonly string[]): string[] {
  const taskset = findProgram('taskset');
  if (taskset === undefined)
    throw new Error('taskset is not installed (Debian: util-linux); without it the figures mean little');
  return [taskset, '-c', core, command, ...args];
}

/** Starts a program of this directory beside the subject, and speaks with it over IPC. */
export function pinnedFork(script: string, children: ChildProcess[]): ChildProcess {
  const [taskset, ...args] = pinned(OTHER_CORE, process.execPath, [
    fileURLToPath(new URL(script, import.meta.url)),
  ]);
  // fork, so that the pair speaks IPC; taskset becomes the process it starts.
  const child = fork(args.at(-1) as string, [], { execPath: taskset as string, execArgv: args.slice(0, -1) });
  children.push(child);
  return child;
}

/** Ends a child, by force after 5 s. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(hard);
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number, logFile: string, name: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  throw new Error(
    `${name} did not listen within 10 s; its output:\n${readFileSync(logFile, 'utf8').slice(-2000)}`,
  );
}
