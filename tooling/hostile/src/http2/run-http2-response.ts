import { exchange, FORGOT_MS, type Target } from '../client.ts';
import { cut, type Chunking, type Random } from '../random.ts';
import { probe } from '../run-requests.ts';
import type { Fault } from '../verdict.ts';
import type { Http2ResponseCase } from './hostile-responses.ts';
import type { ScriptedOrigin } from './scripted-origin.ts';

/** Lets the HTTP/2 origin answer one request with the payload, and looks at what the client and later requests got. */
export async function runHttp2Response(
  origin: ScriptedOrigin,
  target: Target,
  it: Http2ResponseCase,
  mark: string,
  how: Chunking,
  random: Random,
): Promise<Fault[]> {
  const method = it.method ?? 'GET';
  let done = (): void => {};
  const written = new Promise<void>((resolve) => (done = resolve));
  origin.arm({
    reply: (streamId) => cut(Buffer.concat([...it.reply(streamId)]), how, random),
    close: it.close ?? false,
    done,
  });
  const got = await exchange(
    target,
    [Buffer.from(`${method} /r/${mark} HTTP/1.1\r\nHost: origin.test\r\n\r\n`)],
    1,
    FORGOT_MS,
    [method],
  );
  const faults: Fault[] = [];
  if (origin.disarm()) faults.push({ finding: 'not passed', what: 'the request did not reach the origin' });
  else await written;
  if (got.invalid !== undefined) faults.push({ finding: 'bad response', what: got.invalid });
  for (let again = 0; again < 2; again++) faults.push(...(await probe(target, mark)));
  const [answer] = got.finals;
  const text = JSON.stringify(got.finals).slice(0, 300);
  if (it.kind === 'odd') {
    if (answer?.status !== it.status || answer?.body !== it.body || got.rest !== '')
      faults.push({
        finding: got.quiet ? 'hung' : 'not passed',
        what:
          answer === undefined
            ? `no answer ${JSON.stringify(got.rest.slice(0, 60))}`
            : `${answer.status} ${JSON.stringify(answer.body)}`,
      });
    return faults;
  }
  if (got.quiet && answer === undefined)
    faults.push({ finding: 'hung', what: 'neither an answer nor a closed connection' });
  if (got.finals.length > 1)
    faults.push({ finding: 'bad response', what: `${got.finals.length} answers to one request` });
  if (answer !== undefined && answer.status < 500 && !isBodyless(it, answer.body))
    faults.push({ finding: 'bad response', what: `passed on as a whole ${answer.status}: ${text}` });
  if (text.includes('x-smuggled') || got.rest.includes('poison'))
    faults.push({ finding: 'poisoned', what: text });
  return faults;
}

/** An answer that may have no body may pass without the octets that came with it. */
const isBodyless = (it: Http2ResponseCase, body: string): boolean =>
  it.group === 'answers without body' && body === '';
