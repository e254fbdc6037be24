import { LANES, numbering, resultsOf, runJobs, shown, type Job, type RunOptions } from '../jobs.ts';
import { RecordingOrigin } from '../recording-origin.ts';
import type { Result } from '../verdict.ts';
import { startGuardedProxy } from './guarded-proxy.ts';
import { HEADER_CASES } from './headers.ts';
import { HOST_CASES } from './hosts.ts';
import { ASKED_CASES, NETWORK_CASES, ORIGIN_CASES } from './others.ts';
import { PATH_CASES } from './paths.ts';
import type { PolicyCase } from './policy-case.ts';
import { runPolicy } from './run-policy.ts';
import { createIssuer } from './token-maker.ts';
import { tokenCases } from './tokens.ts';

/**
 * Requests that a policy forbids, in every spelling, through a proxy with that policy to a recording origin.
 * @param weakened the proxy has no policy: every list must then find breaches
 */
export async function runPolicies(options: RunOptions, weakened = false): Promise<Result[]> {
  const issuer = createIssuer();
  const idOf = numbering();
  const cases = [
    ...PATH_CASES,
    ...HOST_CASES,
    ...HEADER_CASES,
    ...tokenCases(issuer),
    ...NETWORK_CASES,
    ...ASKED_CASES,
    ...ORIGIN_CASES,
  ];
  const origin = new RecordingOrigin();
  const proxy = await startGuardedProxy(await origin.start(), issuer, weakened);
  const jobs = cases
    .map((it): Job => jobOf(it, idOf('policy', it.kind)))
    .filter(({ id, group }) => `${id} ${group}`.includes(options.filter));
  const byMark: Map<string, Job> = new Map();
  try {
    await runJobs(jobs, options, byMark, LANES);
  } finally {
    await proxy.stop();
    await origin.stop();
  }
  for (const { invalid, text } of origin.connections)
    if (invalid !== undefined) {
      const mark = text.match(/m[0-9a-z]{5}/g)?.at(-1);
      const job = (mark === undefined ? undefined : byMark.get(mark)) ?? jobs[0];
      job?.faults.push({ finding: 'invalid', what: `${invalid}: ${JSON.stringify(text.slice(-200))}` });
    }
  return resultsOf(jobs);

  function jobOf(it: PolicyCase, id: string): Job {
    return {
      id,
      side: 'policy',
      kind: it.kind === 'allowed' ? 'odd' : 'hostile',
      group: it.group,
      shown: shown(it.send),
      runs: 0,
      faults: [],
      once: (mark, how, random) => runPolicy(origin, proxy, it, mark, how, random),
    };
  }
}
