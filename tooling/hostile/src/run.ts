import type { Target } from './client.ts';
import { HOSTILE_REQUESTS, HOSTILE_RESPONSES, ODD_REQUESTS, ODD_RESPONSES } from './corpus/index.ts';
import { judgeByNode, type NodeVerdict } from './node-judge.ts';
import type { OriginConnection, RecordingOrigin } from './recording-origin.ts';
import { LANES, numbering, resultsOf, runJobs, shown, type Job, type RunOptions } from './jobs.ts';
import { runRequest } from './run-requests.ts';
import { runResponse } from './run-responses.ts';
import type { CheckedRequest } from './strict-check.ts';
import type { Fault, Result } from './verdict.ts';

/** Sends every payload of the corpus through the proxy at `target` to `origin`. */
export async function run(origin: RecordingOrigin, target: Target, options: RunOptions): Promise<Result[]> {
  const jobs = allJobs(origin, target).filter(({ id, group }) => `${id} ${group}`.includes(options.filter));
  const byMark: Map<string, Job> = new Map();
  const requests = jobs.filter(({ side }) => side === 'request');
  const responses = jobs.filter(({ side }) => side === 'response');
  await runJobs(requests, options, byMark, LANES);
  // One by one, so that only their own probes can meet them.
  await runJobs(responses, options, byMark, 1);
  await judgeConnections(origin.connections, byMark, jobs);
  return resultsOf(jobs);
}

function allJobs(origin: RecordingOrigin, target: Target): Job[] {
  const idOf = numbering();
  return [
    ...[...HOSTILE_REQUESTS, ...ODD_REQUESTS].map((it): Job => ({
      id: idOf('request', it.kind),
      side: 'request',
      kind: it.kind,
      group: it.group,
      shown: shown(it.send),
      runs: 0,
      faults: [],
      once: (mark, how, random) => runRequest(origin, target, it, mark, how, random),
    })),
    ...[...HOSTILE_RESPONSES, ...ODD_RESPONSES].map((it): Job => {
      const kind = it.kind === 'odd' ? 'odd' : 'hostile';
      return {
        id: idOf('response', kind),
        side: 'response',
        kind,
        group: it.group,
        shown: shown(it.reply),
        runs: 0,
        faults: [],
        once: (mark, how, random) => runResponse(origin, target, it, mark, how, random),
      };
    }),
  ];
}

/** The bytes of every connection, judged again as a whole: by the strict check and by Node's parser, which must agree. */
export async function judgeConnections(
  connections: readonly OriginConnection[],
  byMark: ReadonlyMap<string, Job>,
  jobs: readonly Job[],
): Promise<void> {
  for (const { text, requests, invalid, tunnelAt } of connections) {
    const blame = (fault: Fault): void => {
      const mark = text.match(/m[0-9a-z]{5}/g)?.at(-1);
      ((mark === undefined ? undefined : byMark.get(mark)) ?? jobs[0])?.faults.push(fault);
    };
    if (invalid !== undefined) {
      blame({ finding: 'invalid', what: `${invalid}: ${JSON.stringify(text.slice(-200))}` });
      continue;
    }
    for (const { target, startLine } of requests) {
      if (!/\/(?:t|r|probe)\/m[0-9a-z]{5}|^\*$/.test(target))
        blame({ finding: 'extra', what: `nobody sent this: ${startLine.slice(0, 120)}` });
    }
    const verdict = await judgeInSegments(text, requests, tunnelAt);
    if (verdict.error !== undefined && !isCutOff(text, requests.at(-1)?.end ?? 0))
      blame({ finding: 'invalid', what: `node:http: ${verdict.error}: ${JSON.stringify(text.slice(-200))}` });
    const differs = requests.findIndex((request, index) => {
      const other = verdict.requests[index];
      return (
        other === undefined ||
        other.method !== request.method ||
        other.target !== request.target ||
        other.body !== request.body
      );
    });
    if (verdict.error === undefined && differs >= 0)
      blame({
        finding: 'invalid',
        what: `node:http reads request ${differs + 1} otherwise: ${requests[differs]?.startLine}`,
      });
  }
}

/** Node's parser reads nothing behind a request for an upgrade, refused or not: what follows is fed to another one. */
async function judgeInSegments(
  text: string,
  requests: readonly CheckedRequest[],
  tunnelAt: number | undefined,
): Promise<NodeVerdict> {
  const stops = requests
    .filter(({ fields }) => fields.some(([name]) => name.toLowerCase() === 'upgrade'))
    .map(({ end }) => end);
  const edges = [...new Set([0, ...stops, tunnelAt ?? text.length])].sort((a, b) => a - b);
  const verdicts: NodeVerdict[] = [];
  for (let i = 0; i + 1 < edges.length; i++)
    verdicts.push(await judgeByNode(Buffer.from(text.slice(edges[i], edges[i + 1]), 'latin1')));
  return {
    requests: verdicts.flatMap((verdict) => verdict.requests),
    error: verdicts.find(({ error }) => error !== undefined)?.error,
  };
}

/** A request under way when the connection ended is no message at all. */
const isCutOff = (text: string, end: number): boolean => text.length > end;
