import { execFile, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../find-program.ts';
import { beside, messageOf, pinnedFork, stop } from '../pinned.ts';
import type { Pki } from '../pki.ts';
import type { Scenario } from '../scenarios.ts';
import { grpcMessage } from '../wire/grpc-message.ts';
import { plainFields } from './http2-load.ts';
import { percentile, type Http2Round, type Round, type RoundResult } from './round.ts';

/** Longer than the slowest answer after a round's end. */
const GRACE_MS = 30_000;

/** Makes rounds of load, beside the subject: `h2load` for HTTP/2 where it is installed and can, else our own client. */
export class LoadGenerator {
  readonly #children: ChildProcess[];
  readonly #directory: string;
  #client: ChildProcess | undefined;

  constructor(children: ChildProcess[], directory: string) {
    this.#children = children;
    this.#directory = directory;
  }

  /** What makes a scenario's load, for the tables. */
  static nameFor({ load }: Scenario): string {
    return usesH2load(load) ? 'h2load' : "the benchmark's own client";
  }

  /** @throws Error when the generator fails, not when requests do */
  async run(scenario: Scenario, port: number, durationMs: number, pki: Pki): Promise<RoundResult> {
    const round = roundOf(scenario, port, durationMs, pki);
    if (round.kind === 'http2' && usesH2load(scenario.load)) return h2load(round, this.#directory);
    this.#client ??= pinnedFork('./client-process.ts', this.#children);
    const answer = messageOf<RoundResult>(this.#client, durationMs + GRACE_MS, 'the client');
    this.#client.send(round);
    try {
      return await answer;
    } catch (error) {
      const broken = this.#client;
      this.#client = undefined;
      await stop(broken);
      throw error;
    }
  }
}

function usesH2load(load: Scenario['load']): boolean {
  return load.kind === 'http2' && load.sends !== 'messages' && findProgram('h2load') !== undefined;
}

function roundOf(scenario: Scenario, port: number, durationMs: number, pki: Pki): Round {
  const { load } = scenario;
  if (load.kind === 'http2') return { ...load, port, durationMs, messageBytes: scenario.bodyBytes };
  return {
    ...load,
    port,
    durationMs,
    ...(scenario.downstreamTls
      ? {
          tls: { key: pki.clientKeyPem, cert: pki.clientCertPem, ca: pki.caPem, servername: 'origin.bench' },
        }
      : {}),
    ...(scenario.many === undefined
      ? {}
      : {
          spread:
            'routes' in scenario.many
              ? { by: 'path' as const, count: scenario.many.routes }
              : { by: 'host' as const, count: scenario.many.clusters },
        }),
  };
}

async function h2load(round: Http2Round, directory: string): Promise<RoundResult> {
  const fields = plainFields(round.sends).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const path = round.sends === 'request' ? '/items/42?color=blue' : '/shop.Orders/Get';
  const bodyFile = join(directory, 'message.bin');
  const logFile = join(directory, 'h2load.log');
  if (round.sends === 'grpc-unary') writeFileSync(bodyFile, grpcMessage(round.messageBytes));
  const [program, args] = beside('h2load', [
    ...[
      '-D',
      `${round.durationMs}ms`,
      '-t',
      '1',
      '-c',
      String(round.connections),
      '-m',
      String(round.streams),
    ],
    `--log-file=${logFile}`,
    ...(round.sends === 'grpc-unary' ? ['-d', bodyFile] : []),
    ...fields,
    ...['-H', ':authority: shop.example'],
    `http://127.0.0.1:${round.port}${path}`,
  ]);
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: round.durationMs + GRACE_MS,
    maxBuffer: 1 << 24,
  });
  const log = readFileSync(logFile, 'latin1');
  rmSync(logFile);
  return h2loadResult(stdout, log);
}

/**
 * Reads what h2load prints, and its log: start, status, microseconds until the end, tab-separated.
 * @throws Error when it is not what h2load prints
 */
export function h2loadResult(output: string, log: string): RoundResult {
  const seconds = /finished in ([\d.]+)(s|ms|us),/.exec(output);
  const counts =
    /requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(
      output,
    );
  if (seconds === null || counts === null) throw new Error(`h2load said nothing that is known:\n${output}`);
  const [done, succeeded] = [Number(counts[2]), Number(counts[3])];
  const latencies = Float64Array.from(
    log.split('\n').slice(0, -1),
    (line) => Number(line.split('\t')[2]) / 1000,
  );
  const scale = { s: 1, ms: 1e-3, us: 1e-6 }[seconds[2] as 's' | 'ms' | 'us'];
  return {
    requests: succeeded,
    errors: done - succeeded,
    ...(done === succeeded ? {} : { firstError: `${counts[0]}; ${/status codes: .*/.exec(output)?.[0]}` }),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    seconds: Number(seconds[1]) * scale,
  };
}
