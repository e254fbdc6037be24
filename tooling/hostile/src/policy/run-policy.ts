import { exchange, FORGOT_MS, WAITS_MS } from '../client.ts';
import { MARK } from '../corpus/index.ts';
import { cut, type Chunking, type Random } from '../random.ts';
import type { RecordingOrigin } from '../recording-origin.ts';
import type { Fault } from '../verdict.ts';
import type { GuardedProxy } from './guarded-proxy.ts';
import type { PolicyCase } from './policy-case.ts';

/** A refusal that has to wait for a service that never answers comes after that wait. */
const SLOW_WAITS_MS = 3000;

/** Sends one payload to its gate once, and looks at what reached the origin and what came back. */
export async function runPolicy(
  origin: RecordingOrigin,
  proxy: GuardedProxy,
  it: PolicyCase,
  mark: string,
  how: Chunking,
  random: Random,
): Promise<Fault[]> {
  const bytes = Buffer.from(it.send.replaceAll(MARK, mark), 'latin1');
  const method = /^\S+/.exec(it.send)?.[0] ?? 'GET';
  const quietMs = it.kind === 'allowed' ? FORGOT_MS : it.gate === 'asked' ? SLOW_WAITS_MS : WAITS_MS;
  const got = await exchange(proxy.gates[it.gate], cut(bytes, how, random), 1, quietMs, [method]);
  const seen = origin.seen(mark);
  const faults: Fault[] = [];
  if (got.invalid !== undefined) faults.push({ finding: 'bad response', what: got.invalid });
  if (seen.length > 1) faults.push({ finding: 'extra', what: `${seen.length} requests reached the origin` });
  if (it.kind === 'allowed') {
    const statuses = got.finals.map(({ status }) => status).join();
    const wrong = statuses === '200' ? it.breach(seen, got) : `answered ${statuses || 'nothing'}`;
    if (wrong !== undefined) faults.push({ finding: 'not passed', what: wrong });
    return faults;
  }
  const breach = it.breach(seen, got);
  if (breach !== undefined) faults.push({ finding: 'breach', what: breach });
  if (it.gate === 'asked' && got.quiet) faults.push({ finding: 'hung', what: 'neither refused nor closed' });
  return faults;
}
