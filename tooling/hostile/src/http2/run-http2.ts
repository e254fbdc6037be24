import type { Target } from '../client.ts';
import { LANES, numbering, resultsOf, runJobs, type Job, type RunOptions } from '../jobs.ts';
import type { RecordingOrigin } from '../recording-origin.ts';
import { judgeConnections } from '../run.ts';
import type { Result } from '../verdict.ts';
import type { Http2Case } from './http2-case.ts';
import { HOSTILE_FRAMES } from './hostile-frames.ts';
import { HOSTILE_HEADS } from './hostile-heads.ts';
import type { Http2Origin } from './http2-origin.ts';
import { ODD_HTTP2 } from './odd-requests.ts';
import type { Recorder } from './recorder.ts';
import { HTTP2_RESPONSES } from './hostile-responses.ts';
import { runHttp2Response } from './run-http2-response.ts';
import type { ScriptedOrigin } from './scripted-origin.ts';
import { runHttp2Request } from './run-http2-request.ts';

const CASES: readonly Http2Case[] = [...HOSTILE_FRAMES, ...HOSTILE_HEADS, ...ODD_HTTP2];

/** Sends every HTTP/2 payload of a client through the proxy at `target` to an HTTP/1 origin. */
export async function runHttp2(
  origin: RecordingOrigin,
  target: Target,
  options: RunOptions,
): Promise<Result[]> {
  const side = target.tls === true ? 'http2-over-tls' : 'http2-request';
  const { jobs, byMark } = await runCases(origin, target, options, side);
  await judgeConnections(origin.connections, byMark, jobs);
  return resultsOf(jobs);
}

/** The same through a proxy that speaks HTTP/2 to the origin. */
export async function runHttp2ToHttp2(
  origin: Http2Origin,
  target: Target,
  options: RunOptions,
): Promise<Result[]> {
  const { jobs } = await runCases(origin, target, options, 'http2-to-http2');
  for (const what of origin.faults) {
    const mark = /m[0-9a-z]{5}/.exec(what)?.[0];
    const job = jobs.find(({ id }) => id === mark) ?? jobs[0];
    job?.faults.push({ finding: 'invalid', what });
  }
  return resultsOf(jobs);
}

/** Answers of an HTTP/2 origin, one by one, to a client of HTTP/1. */
export async function runHttp2Responses(
  origin: ScriptedOrigin,
  target: Target,
  options: RunOptions,
): Promise<Result[]> {
  const idOf = numbering();
  const jobs = HTTP2_RESPONSES.map((it): Job => {
    const kind = it.kind === 'odd' ? 'odd' : 'hostile';
    return {
      id: idOf('http2-response', kind),
      side: 'http2-response',
      kind,
      group: it.group,
      shown: it.what,
      runs: 0,
      faults: [],
      once: (mark, how, random) => runHttp2Response(origin, target, it, mark, how, random),
    };
  }).filter(({ id, group }) => `${id} ${group}`.includes(options.filter));
  await runJobs(jobs, options, new Map(), 1);
  return resultsOf(jobs);
}

async function runCases(
  origin: Recorder,
  target: Target,
  options: RunOptions,
  side: 'http2-request' | 'http2-to-http2' | 'http2-over-tls',
): Promise<{ readonly jobs: readonly Job[]; readonly byMark: Map<string, Job> }> {
  const idOf = numbering();
  const jobs = CASES.map((it): Job => ({
    id: idOf(side, it.kind),
    side,
    kind: it.kind,
    group: it.group,
    shown: it.what,
    runs: 0,
    faults: [],
    once: (mark, how, random) => runHttp2Request(origin, target, it, mark, how, random),
  })).filter(({ id, group }) => `${id} ${group}`.includes(options.filter));
  const byMark: Map<string, Job> = new Map();
  await runJobs(jobs, options, byMark, LANES);
  return { jobs, byMark };
}
