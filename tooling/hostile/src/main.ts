/**
 * Hostile and odd HTTP/1.1 and HTTP/2, and requests that a policy forbids, through a proxy to an origin that records every byte. Exits 1
 * when anything invalid, extra, forbidden or poisoned was seen, or something valid did not pass.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Target } from './client.ts';
import { runFloods } from './floods/run-floods.ts';
import { Http2Origin } from './http2/http2-origin.ts';
import { runHttp2, runHttp2Responses, runHttp2ToHttp2 } from './http2/run-http2.ts';
import { ScriptedOrigin } from './http2/scripted-origin.ts';
import { nodeHttp2 } from './http2/subjects.ts';
import { runPolicies } from './policy/run-policies.ts';
import { RecordingOrigin } from './recording-origin.ts';
import { renderFaults, renderTable, summary } from './report.ts';
import { run } from './run.ts';
import { nodeHttp, tulle, tulleOverTls, type Subject } from './subjects.ts';
import type { Result } from './verdict.ts';

const HELP = `pnpm test:hostile [options]

  --subject S      tulle (default), node-http or node-http2 (to see the judges at work), or HOST:PORT of a proxy that
                   you started
  --origin PORT    port of the recording origin, for a proxy of yours; default: any free one
  --rounds N       sends per payload: whole, byte by byte, then random cuts; default 3
  --seed N         of the random cuts; default: from the clock, printed
  --filter TEXT    only payloads whose id or group contains TEXT, e.g. odd-request-012, 'chunk sizes'
  --weakened       Tulle without its policies, to see the judges of paths, hosts, headers and tokens at work
  --floods         instead, attacks that exhaust: frame floods, slowness, compression, from clients and origins, against
                   Tulle in a process of its own, some 3 minutes
  --json FILE      writes every result
  --help           this
`;

interface Options {
  readonly subject: string;
  readonly origin: number;
  readonly rounds: number;
  readonly seed: number;
  readonly filter: string;
  readonly weakened: boolean;
  readonly floods: boolean;
  readonly json: string | undefined;
}

function readOptions(): Options | string {
  const { values } = parseArgs({
    options: {
      subject: { type: 'string', default: 'tulle' },
      origin: { type: 'string', default: '0' },
      rounds: { type: 'string', default: '3' },
      seed: { type: 'string' },
      filter: { type: 'string', default: '' },
      weakened: { type: 'boolean', default: false },
      floods: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return HELP;
  const whole = (name: string, text: string, most: number): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > most)
      throw new Error(`--${name} ${text}: give a whole number up to ${most}.`);
    return value;
  };
  return {
    subject: values.subject,
    origin: whole('origin', values.origin, 65535),
    rounds: Math.max(1, whole('rounds', values.rounds, 1000)),
    seed: values.seed === undefined ? Date.now() % 2 ** 31 : whole('seed', values.seed, 2 ** 32 - 1),
    filter: values.filter,
    weakened: values.weakened,
    floods: values.floods,
    json: values.json,
  };
}

async function start(subject: string, originPort: number): Promise<Target & Partial<Subject>> {
  if (subject === 'tulle') return tulle(originPort);
  if (subject === 'node-http') return nodeHttp(originPort);
  if (subject === 'node-http2') return nodeHttp2(originPort);
  const [, host, port] = /^(.+):(\d+)$/.exec(subject) ?? [];
  if (host === undefined || Number(port) > 65535)
    throw new Error(`--subject ${subject}: give tulle, node-http, node-http2 or HOST:PORT.`);
  return { host, port: Number(port) };
}

/** HTTP/2 from clients to origins of both versions, and from origins. */
async function runHttp2Lists(options: Options): Promise<Result[]> {
  const http1Origin = new RecordingOrigin();
  const http2Origin = new Http2Origin();
  const scripted = new ScriptedOrigin();
  const toHttp1 = await tulle(await http1Origin.start());
  const tlsOrigin = new RecordingOrigin();
  const overTls = await tulleOverTls(await tlsOrigin.start());
  const toHttp2 = await tulle(await http2Origin.start(), 'http2');
  const toScripted = await tulle(await scripted.start(), 'http2');
  const results = [
    ...(await runHttp2(http1Origin, toHttp1, options)),
    ...(await runHttp2(tlsOrigin, overTls, options)),
    ...(await runHttp2ToHttp2(http2Origin, toHttp2, options)),
    ...(await runHttp2Responses(scripted, toScripted, options)),
  ];
  for (const it of [toHttp1, overTls, toHttp2, toScripted, http1Origin, tlsOrigin, http2Origin, scripted])
    await it.stop();
  return results;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stdout.write(options);
    return 0;
  }
  const from = performance.now();
  if (options.floods) return report(options, await floods(options.filter), from);
  const origin = new RecordingOrigin();
  const originPort = await origin.start(options.origin);
  const subject = await start(options.subject, originPort);
  console.log(
    `${options.subject} at ${subject.host}:${subject.port}, origin at 127.0.0.1:${originPort}, seed ${options.seed}, ${options.rounds} sends a payload`,
  );
  const results =
    options.subject === 'node-http2'
      ? await runHttp2(origin, subject, options)
      : await run(origin, subject, options);
  await subject.stop?.();
  await origin.stop();
  if (options.subject === 'tulle') results.push(...(await runHttp2Lists(options)));
  // The policies are Tulle's own: other proxies have no such configuration here.
  if (options.subject === 'tulle') results.push(...(await runPolicies(options, options.weakened)));
  return report(options, results, from);
}

/** The exhaustion list, a line for each attack as it ends. */
async function floods(filter: string): Promise<Result[]> {
  console.log('   over     memory        time    sent by the attacker    background');
  return runFloods(filter, ({ faults }, line) =>
    console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${line}`),
  );
}

/** Prints what was found. @returns the exit code */
async function report(options: Options, results: readonly Result[], from: number): Promise<number> {
  if (results.length === 0)
    throw new Error(`--filter ${options.filter}: no payload has that in its id or group.`);
  const totals = summary(results);
  if (options.json !== undefined)
    await writeFile(
      options.json,
      `${JSON.stringify({ subject: options.subject, seed: options.seed, rounds: options.rounds, totals, results }, null, 1)}\n`,
    );
  console.log(`\n${renderTable(results)}\n`);
  const faults = renderFaults(results);
  if (faults !== '') console.log(`${faults}\n`);
  console.log(
    `${totals['hostilePayloads']} hostile payloads, ${totals['hostileRefused']} refused; ${totals['oddPayloads']} odd but valid ones, ${totals['oddPassed']} passed; ${totals['sends']} sends in ${((performance.now() - from) / 1000).toFixed(1)} s`,
  );
  console.log(
    `${totals['invalid']} invalid, ${totals['extra']} extra, ${totals['breach']} forbidden, ${totals['poisoned']} poisoned; seed ${options.seed}`,
  );
  const passed = results.filter(({ faults: found }) => found.length === 0).length;
  console.log(`${passed} passed, ${results.length - passed} failed, 0 skipped`);
  return passed === results.length ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  return 2;
});
