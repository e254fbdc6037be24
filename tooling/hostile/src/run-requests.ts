import { exchange, FORGOT_MS, WAITS_MS, type Target } from './client.ts';
import { MARK, type RequestCase, type Seen } from './corpus/index.ts';
import { cut, type Chunking, type Random } from './random.ts';
import type { RecordingOrigin } from './recording-origin.ts';
import type { CheckedRequest } from './strict-check.ts';
import type { Fault } from './verdict.ts';

/** Sends one payload once, and looks at what came of it. */
export async function runRequest(
  origin: RecordingOrigin,
  target: Target,
  it: RequestCase,
  mark: string,
  how: Chunking,
  random: Random,
): Promise<Fault[]> {
  const bytes = Buffer.from(it.send.replaceAll(MARK, mark), 'latin1');
  const methods = it.seen?.map(({ method }) => method ?? 'GET') ?? [];
  // a hostile payload is answered once: by the refusal, after the answers to what was valid before it
  const answers = it.kind === 'odd' ? it.allowed : it.allowed + 1;
  const got = await exchange(
    target,
    cut(bytes, how, random),
    answers,
    it.kind === 'odd' ? FORGOT_MS : WAITS_MS,
    methods,
  );
  const faults: Fault[] = [];
  if (got.invalid !== undefined) faults.push({ finding: 'bad response', what: got.invalid });
  faults.push(...(await probe(target, mark)));
  const seen = origin.seen(mark);
  if (seen.length > it.allowed)
    faults.push({
      finding: 'extra',
      what: `${seen.length} requests reached the origin, ${it.allowed} may: ${seen
        .map(({ startLine }) => startLine)
        .join(' | ')
        .slice(0, 200)}`,
    });
  const smuggled = seen.find((request) => request.target.startsWith('/smuggled/'));
  if (smuggled !== undefined) faults.push({ finding: 'extra', what: `smuggled: ${smuggled.startLine}` });
  if (it.kind === 'hostile') {
    const good = got.finals.filter(({ status }) => status < 400).length;
    if (good > it.allowed)
      faults.push({ finding: 'bad response', what: `${good} good answers, ${it.allowed} valid requests` });
    return faults;
  }
  if (got.finals.length !== it.allowed || !got.finals.every(({ status }) => status === 200)) {
    faults.push({
      finding: got.quiet ? 'hung' : 'not passed',
      what: `answers ${got.finals.map(({ status }) => status).join() || 'none'}${got.rest === '' ? '' : ` and ${JSON.stringify(got.rest.slice(0, 60))}`}`,
    });
  }
  if (got.rest !== '')
    faults.push({
      finding: 'bad response',
      what: `bytes after the last answer: ${JSON.stringify(got.rest.slice(0, 60))}`,
    });
  for (const [index, want] of (it.seen ?? []).entries()) {
    const request = seen[index];
    const wrong = request === undefined ? 'did not arrive' : difference(request, want, mark);
    if (wrong !== undefined) faults.push({ finding: 'not passed', what: `request ${index + 1}: ${wrong}` });
  }
  return faults;
}

/** A plain request on a connection of its own, through the same pool: its answer must be its own. */
export async function probe(target: Target, mark: string): Promise<Fault[]> {
  const path = `/probe/${mark}`;
  // asks for two answers, to wait for the close behind the one that is due
  const got = await exchange(
    target,
    [Buffer.from(`GET ${path} HTTP/1.1\r\nHost: origin.test\r\nConnection: close\r\n\r\n`)],
    2,
    FORGOT_MS,
  );
  const [answer] = got.finals;
  if (
    got.finals.length === 1 &&
    answer?.status === 200 &&
    answer.body === `GET ${path}` &&
    got.rest === '' &&
    got.invalid === undefined
  )
    return [];
  return [
    {
      finding: 'poisoned',
      what: `a plain request afterwards got ${answer === undefined ? (got.quiet ? 'no answer' : `a closed connection ${got.invalid ?? ''}`) : `${answer.status} ${JSON.stringify(answer.body.slice(0, 80))}`}`,
    },
  ];
}

/** What differs between the request that arrived and the one that was meant. */
export function difference(
  request: Pick<CheckedRequest, 'method' | 'target' | 'fields' | 'body' | 'trailers'>,
  want: Seen,
  mark: string,
): string | undefined {
  const here = (text: string): string => text.replaceAll(MARK, mark);
  if (want.method !== undefined && request.method !== want.method)
    return `method ${request.method}, not ${want.method}`;
  if (want.target !== undefined && equivalent(request.target) !== equivalent(here(want.target)))
    return `target ${request.target}, not ${here(want.target)}`;
  if (want.body !== undefined && request.body !== here(want.body))
    return `body of ${request.body.length} bytes, not the ${want.body.length} that were sent`;
  if (want.trailers !== undefined && JSON.stringify(request.trailers) !== JSON.stringify(want.trailers))
    return `trailers ${JSON.stringify(request.trailers)}`;
  const valueOf = (name: string): string | undefined =>
    request.fields.find(([field]) => field.toLowerCase() === name)?.[1];
  for (const [name, value] of Object.entries(want.has ?? {}))
    if (valueOf(name) !== value)
      return `${name}: ${JSON.stringify(valueOf(name))}, not ${JSON.stringify(value)}`;
  for (const name of want.lacks ?? []) if (valueOf(name) !== undefined) return `${name} was passed on`;
  return undefined;
}

/** A proxy may spell a target in the normal form of RFC 3986 §6.2.2, and encode what the grammar wants encoded. */
function equivalent(target: string): string {
  return target
    .replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
      const char = String.fromCharCode(Number.parseInt(hex, 16));
      return /[-._~0-9A-Za-z]/.test(char) ? char : escape.toUpperCase();
    })
    .replace(/[[\]|\\^`{}]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
