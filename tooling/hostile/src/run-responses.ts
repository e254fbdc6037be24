import { exchange, FORGOT_MS, type Exchange, type Target } from './client.ts';
import type { ResponseCase } from './corpus/index.ts';
import { cut, type Chunking, type Random } from './random.ts';
import type { RecordingOrigin } from './recording-origin.ts';
import { probe } from './run-requests.ts';
import type { Fault } from './verdict.ts';

/** Time for the proxy to notice what came on a connection at rest, before the next request may use it. */
const SETTLE_MS = 3;

/** Lets the origin answer one request with the payload, and looks at what the client and later requests got. */
export async function runResponse(
  origin: RecordingOrigin,
  target: Target,
  it: ResponseCase,
  mark: string,
  how: Chunking,
  random: Random,
): Promise<Fault[]> {
  const method = it.method ?? 'GET';
  const bytes = Buffer.from(it.reply, 'latin1');
  let done = (): void => {};
  const written = new Promise<void>((resolve) => (done = resolve));
  origin.scripts.set(mark, {
    pieces: bytes.length === 0 ? [] : cut(bytes, how, random),
    close: it.close ?? false,
    tunnel: it.status === 101,
    done,
  });
  const request = Buffer.from(`${method} /r/${mark} HTTP/1.1\r\nHost: origin.test\r\n${it.fields ?? ''}\r\n`);
  const got = await exchange(target, [request], 1, FORGOT_MS, [method]);
  const reached =
    origin.seen(mark).length > 0 || origin.connections.some(({ text }) => text.includes(`/r/${mark}`));
  if (reached) await written;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const faults: Fault[] = [];
  if (!reached) faults.push({ finding: 'not passed', what: 'the request did not reach the origin' });
  if (got.invalid !== undefined) faults.push({ finding: 'bad response', what: got.invalid });
  for (let again = 0; again < 2; again++) faults.push(...(await probe(target, mark)));
  for (const connection of origin.connections) {
    if (connection.scriptedAt === undefined || it.kind === 'odd') continue;
    if (connection.requests.length > connection.scriptedAt && connection.text.includes(`/r/${mark}`)) {
      faults.push({ finding: 'poisoned', what: 'the connection of this answer was used again' });
    }
  }
  origin.scripts.delete(mark);
  const wrong = it.kind === 'odd' ? judgeOdd(it, got) : judgeHostile(it, got);
  if (wrong !== undefined) faults.push(wrong);
  return faults;
}

function judgeOdd(it: ResponseCase, got: Exchange): Fault | undefined {
  const [answer] = got.finals;
  const tunnel = it.status === 101;
  const body = tunnel ? got.rest : answer?.body;
  if (answer?.status === it.status && body === it.body && (tunnel || got.rest === '')) return undefined;
  return {
    finding: got.quiet ? 'hung' : 'not passed',
    what:
      answer === undefined
        ? `no answer ${JSON.stringify(got.rest.slice(0, 60))}`
        : `${answer.status} ${JSON.stringify(body?.slice(0, 60))}, not ${it.status} ${JSON.stringify(it.body)}`,
  };
}

function judgeHostile(it: ResponseCase, got: Exchange): Fault | undefined {
  const [answer] = got.finals;
  if (got.finals.length > 1)
    return { finding: 'bad response', what: `${got.finals.length} answers to one request` };
  if (answer === undefined)
    return got.quiet
      ? {
          finding: 'hung',
          what: `neither an answer nor a closed connection: ${JSON.stringify(got.rest.slice(0, 60))}`,
        }
      : undefined;
  if (got.rest !== '')
    return {
      finding: 'bad response',
      what: `bytes after the answer: ${JSON.stringify(got.rest.slice(0, 60))}`,
    };
  if (it.kind === 'refuse' && answer.status < 500)
    return { finding: 'bad response', what: `passed on as a whole ${answer.status}` };
  if (answer.body.includes('poison'))
    return { finding: 'poisoned', what: 'the second answer reached the client' };
  return undefined;
}
