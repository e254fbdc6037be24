import type { ChildProcess } from 'node:child_process';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tulle/processes';
import { bundle } from '../bundle.ts';
import { cpuUs } from '../cpu.ts';
import type { LimitedOrigin } from '../limited-origin-process.ts';
import type { OpenResult, OpenRound } from '../load/open-load.ts';
import type { Http1Round, RoundResult } from '../load/round.ts';
import type { OverloadSetup } from '../overload-process.ts';
import { listening, messageOf, pinnedFork, startPinned, stop } from '../pinned.ts';
import { median } from '../stats.ts';
import type { Study, StudySetup } from './study.ts';

const WARM_UP_MS = 1000;
const CLOSED_MS = 2000;
const OPEN_MS = 4000;
/** How long a caller waits for an answer, from when its request was due. */
const PATIENCE_MS = 1000;
const ADMIN_EVERY_MS = 50;
/** Callers of a mesh keep connections; without, what is measured is how fast new ones are accepted. */
const KEPT_CONNECTIONS = 512;

/** Who saturates, and what is done about it. */
interface Variant {
  readonly name: string;
  readonly about: string;
  readonly origin: LimitedOrigin;
  readonly closedConnections: number;
  readonly work: boolean;
  readonly sheds: boolean;
  readonly adapts: boolean;
}

/** 400 a second. */
const SMALL: LimitedOrigin = { places: 4, serviceMs: 10 };
const LARGE: LimitedOrigin = { places: 10_000, serviceMs: 1 };

const ORIGIN = { origin: SMALL, closedConnections: 16, work: false };
const PROXY = { origin: LARGE, closedConnections: 16, work: true };

const VARIANTS: readonly Variant[] = [
  { name: 'origin, as it is', about: 'no filter', ...ORIGIN, sheds: true, adapts: false },
  { name: 'origin, adaptive', about: 'adaptive concurrency', ...ORIGIN, sheds: true, adapts: true },
  { name: 'proxy, as it is', about: 'overload manager off', ...PROXY, sheds: false, adapts: false },
  { name: 'proxy, sheds', about: 'overload manager by its defaults', ...PROXY, sheds: true, adapts: false },
];

/** What a round of one variant came to. */
interface Outcome {
  /** Requests a second, closed loop. */
  readonly peak: number;
  /** Answers in time a second, while twice the peak is asked. */
  readonly goodput: number;
  readonly share: number;
  /** The same for each second of the proxy's CPU time: what else the machine does touches it little. */
  readonly cpuShare: number;
  readonly open: OpenResult;
  readonly adminMs: readonly number[];
}

/** Twice of what can be served is asked: how much is served in time, and does the admin interface answer. */
export const overload: Study = {
  name: 'overload',
  about: `twice the closed-loop peak offered in an open loop for ${OPEN_MS / 1000} s: answers within ${PATIENCE_MS / 1000} s, and how long admin pages take; once the origin saturates (4 requests at a time, 10 ms each), once the proxy (a P-384 signature verified for each request)`,
  async run(setup) {
    const program = await bundle(
      fileURLToPath(new URL('../overload-process.ts', import.meta.url)),
      join(setup.directory, 'overload'),
    );
    const outcomes = new Map<string, Outcome[]>(VARIANTS.map(({ name }) => [name, []]));
    for (let round = 0; round < setup.options.rounds; round++)
      for (const variant of round % 2 === 0 ? VARIANTS : VARIANTS.toReversed()) {
        setup.progress(`overload: round ${round + 1} of ${setup.options.rounds}, ${variant.name}`);
        outcomes.get(variant.name)?.push(await measure(variant, program, setup));
      }
    const figures = VARIANTS.map(({ name, about }) => {
      const own = outcomes.get(name) as Outcome[];
      const of = (what: (one: Outcome) => number): number => median(own.map(what));
      return {
        saturated: name,
        about,
        peak: of(({ peak }) => peak),
        goodput: of(({ goodput }) => goodput),
        share: of(({ share }) => share),
        cpuShare: of(({ cpuShare }) => cpuShare),
        leastShare: Math.min(...own.map(({ share }) => share)),
        refused: of(({ open }) => open.refused / (OPEN_MS / 1000)),
        p50Ms: of(({ open }) => open.p50Ms),
        p99Ms: of(({ open }) => open.p99Ms),
        adminP50Ms: of(({ adminMs }) => median(adminMs)),
        adminMaxMs: Math.max(...own.flatMap(({ adminMs }) => adminMs)),
      };
    });
    return { figures, text: text(figures, setup.options.rounds) };
  },
};

async function measure(variant: Variant, program: string, { directory }: StudySetup): Promise<Outcome> {
  const children: ChildProcess[] = [];
  try {
    const origin = pinnedFork('./limited-origin-process.ts', children);
    origin.send(variant.origin);
    const originPort = await messageOf<number>(origin, 10_000, 'the origin');
    const [listenPort, adminPort] = [await freePort(), await freePort()];
    const told: OverloadSetup = {
      listenPort,
      originPort,
      adminPort,
      accessLogFile: join(directory, 'overload/access.log'),
      work: variant.work,
      sheds: variant.sheds,
      adapts: false,
    };
    const logFile = join(directory, 'overload/proxy.log');
    const start = async (setup: OverloadSetup): Promise<ChildProcess> => {
      const proxy = startPinned(process.execPath, [program, JSON.stringify(setup)], logFile, children);
      await listening(listenPort, proxy, logFile);
      return proxy;
    };
    // The peak is that of the service without anything that holds back.
    const bare = await start(told);
    const closed = pinnedFork('./client-process.ts', children);
    const ask = async (durationMs: number): Promise<RoundResult> => {
      closed.send({
        kind: 'http1',
        port: listenPort,
        connections: variant.closedConnections,
        newConnections: false,
        durationMs,
      } satisfies Http1Round);
      return messageOf<RoundResult>(closed, durationMs + 30_000, 'the client');
    };
    await ask(WARM_UP_MS);
    let cpuBefore = cpuUs(bare.pid as number);
    const { requests, seconds } = await ask(CLOSED_MS);
    const peak = requests / seconds;
    const peakOfCpu = requests / (cpuUs(bare.pid as number) - cpuBefore);
    await stop(closed);
    let proxy = bare;
    if (variant.adapts) {
      await stop(bare);
      proxy = await start({ ...told, adapts: true });
    }
    const crowd = pinnedFork('./open-client-process.ts', children);
    const offer = async (timesPeak: number, durationMs: number): Promise<OpenResult> => {
      crowd.send({
        port: listenPort,
        ratePerSecond: peak * timesPeak,
        durationMs,
        patienceMs: PATIENCE_MS,
        keptConnections: KEPT_CONNECTIONS,
        maxConnections: 8_000,
      } satisfies OpenRound);
      return messageOf<OpenResult>(crowd, durationMs + 60_000, 'the client');
    };
    // The callers' own code is warm and their connections are open, as those of the closed loop were; what is measured
    // begins with the onset. A limit that is learned has seen both.
    await offer(variant.adapts ? 2 : 0.5, WARM_UP_MS);
    const admin = new AdminProbe(adminPort);
    cpuBefore = cpuUs(proxy.pid as number);
    const open = await offer(2, OPEN_MS);
    const goodOfCpu = open.good / (cpuUs(proxy.pid as number) - cpuBefore);
    const adminMs = await admin.stop();
    const goodput = open.good / (OPEN_MS / 1000);
    return { peak, goodput, share: goodput / peak, cpuShare: goodOfCpu / peakOfCpu, open, adminMs };
  } finally {
    await Promise.all(children.map(stop));
  }
}

/** Asks a page of the admin interface over and over. */
class AdminProbe {
  readonly #port: number;
  readonly #tookMs: number[] = [];
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(port: number) {
    this.#port = port;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      await this.#ask();
      this.#tookMs.push(performance.now() - began);
      await sleep(ADMIN_EVERY_MS);
    }
  }

  #ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: this.#port, path: '/ready', agent: false }, (response) => {
        response.resume().on('end', resolve);
      }).on('error', reject);
    });
  }

  async stop(): Promise<readonly number[]> {
    this.#stopped = true;
    await this.#done;
    return this.#tookMs;
  }
}

function text(
  figures: readonly {
    readonly saturated: string;
    readonly about: string;
    readonly peak: number;
    readonly goodput: number;
    readonly share: number;
    readonly cpuShare: number;
    readonly leastShare: number;
    readonly refused: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly adminP50Ms: number;
    readonly adminMaxMs: number;
  }[],
  rounds: number,
): string {
  const lines = figures.map((one) =>
    [
      `  ${one.saturated.padEnd(20)}`,
      one.peak.toFixed(0).padStart(8),
      one.goodput.toFixed(0).padStart(11),
      `${(one.share * 100).toFixed(0)} %`.padStart(12),
      `${(one.leastShare * 100).toFixed(0)} %`.padStart(8),
      `${(one.cpuShare * 100).toFixed(0)} %`.padStart(9),
      one.refused.toFixed(0).padStart(11),
      one.p50Ms.toFixed(0).padStart(9),
      one.p99Ms.toFixed(0).padStart(9),
      one.adminP50Ms.toFixed(0).padStart(11),
      one.adminMaxMs.toFixed(0).padStart(11),
      `  ${one.about}`,
    ].join(''),
  );
  return `  who saturates          peak/s  goodput/s  of the peak   least  per CPU  refused/s   p50 ms   p99 ms  admin p50  admin max\n${lines.join('\n')}\nmedians of ${rounds} rounds; least and max over all of them\n`;
}
