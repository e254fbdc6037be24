import { FORGOT_MS, type Target } from '../client.ts';
import { MARK } from '../corpus/index.ts';
import { cut, type Chunking, type Random } from '../random.ts';
import { difference, probe } from '../run-requests.ts';
import type { Fault } from '../verdict.ts';
import { RawClient } from './client.ts';
import type { Http2Case } from './http2-case.ts';
import { HEADER_TABLE_SIZE, PREFACE, settings } from './frames.ts';
import type { Recorder } from './recorder.ts';

/** After a refusal, how long something more may still come. */
const LINGER_MS = 5;

const HELLO: Buffer = Buffer.concat([PREFACE, settings([HEADER_TABLE_SIZE, 0])]);

/** Sends one payload once on a connection of its own, and looks at what came of it. */
export async function runHttp2Request(
  origin: Recorder,
  target: Target,
  it: Http2Case,
  mark: string,
  how: Chunking,
  random: Random,
): Promise<Fault[]> {
  const marked = Buffer.concat([it.preface ?? HELLO, ...it.frames])
    .toString('latin1')
    .replaceAll(MARK, mark);
  const client = new RawClient(target);
  await client.sendPieces(cut(Buffer.from(marked, 'latin1'), how, random));
  const faults =
    it.kind === 'odd' ? await judgeOdd(origin, client, it, mark) : await judgeHostile(client, it);
  client.destroy();
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
  const smuggled = seen.find(
    (request) =>
      request.target.startsWith('/smuggled/') || 'x-smuggled' in Object.fromEntries(request.fields),
  );
  if (smuggled !== undefined) faults.push({ finding: 'extra', what: `smuggled: ${smuggled.startLine}` });
  return faults;
}

async function judgeHostile(client: RawClient, it: Http2Case): Promise<Fault[]> {
  const { answers } = client;
  const all = (): { status: number; reset: number | undefined }[] => [...answers.streams.values()];
  const refused = (): boolean =>
    client.closed ||
    answers.goaway !== undefined ||
    all().some(({ status, reset }) => reset !== undefined || status >= 400);
  const done = (): boolean => refused() || (it.anyAnswer === true && all().some(({ status }) => status > 0));
  const faults: Fault[] = [];
  await client.until(done, FORGOT_MS);
  if (!done()) faults.push({ finding: 'hung', what: 'neither reset, GOAWAY, close nor an answer' });
  else await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
  const good = all().filter(({ status }) => status > 0 && status < 400).length;
  if (good > it.allowed)
    faults.push({ finding: 'bad response', what: `${good} good answers, ${it.allowed} valid requests` });
  return faults;
}

async function judgeOdd(origin: Recorder, client: RawClient, it: Http2Case, mark: string): Promise<Fault[]> {
  const streams = it.streams ?? [1];
  const { answers } = client;
  const came = await client.until(
    () => streams.every((id) => answers.of(id).ended || answers.of(id).reset !== undefined),
    FORGOT_MS,
  );
  const faults: Fault[] = [];
  const statuses = streams.map((id) => answers.of(id));
  if (!came || statuses.some(({ status, ended }) => status !== 200 || !ended))
    faults.push({
      finding: came || client.closed ? 'not passed' : 'hung',
      what: `answers ${statuses.map(({ status, reset }) => (reset === undefined ? status : `reset ${reset}`)).join()}, GOAWAY ${answers.goaway ?? 'none'}`,
    });
  const seen = origin.seen(mark);
  for (const [at, want] of (it.seen ?? []).entries()) {
    const target = want.target?.replaceAll(MARK, mark);
    const request = seen.find((other) => other.target === target) ?? seen[at];
    const wrong = request === undefined ? 'did not arrive' : difference(request, want, mark);
    if (wrong !== undefined) faults.push({ finding: 'not passed', what: `request ${at + 1}: ${wrong}` });
  }
  return faults;
}
