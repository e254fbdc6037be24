/**
 * What tracing adds to a request: `node --expose-gc packages/proxy/core/bench/tracing.ts [seconds]`, in CPU time. A request head is
 * decoded, goes through `Tracing` as a stream would, and is encoded; the first line is the same without tracing.
 */
import { ByteWriter } from '@tulle/fields';
import {
  BODY_NONE,
  CONNECTION_PERSIST,
  RequestDecoder,
  writeRequestHead,
  type OutgoingFraming,
  type RequestHead,
} from '@tulle/http1';
import { Attempt } from '../src/stream/attempt.ts';
import { StreamTrace } from '../src/stream/stream-trace.ts';
import type { Stream } from '../src/stream/stream.ts';
import { Tracing } from '../src/stream/tracing.ts';

const PARENT = 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-';
const requestWith = (...lines: string[]): Buffer =>
  Buffer.from(
    [
      'GET /products/42?expand=reviews HTTP/1.1',
      'Host: reviews.default.svc.mesh.local:9080',
      'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
      'Accept: application/json',
      'Accept-Encoding: gzip, deflate',
      'X-Request-Id: 0b6d8f3e-5a42-4e2f-9a5e-6c0d7a1f2b3d',
      'Cookie: session=8f14e45fceea167a5a36dedd4bea2543',
      ...lines,
      '\r\n',
    ].join('\r\n'),
    'latin1',
  );

let head: RequestHead | undefined;
const decoder = new RequestDecoder({
  onHead: (decoded) => void (head = decoded),
  onData: () => {},
  onTrailers: () => {},
  onComplete: () => {},
  onFault: (fault) => {
    throw new Error(fault.rule);
  },
});
const out = new ByteWriter();
const framing: OutgoingFraming = {
  bodyKind: BODY_NONE,
  contentLength: -1,
  connection: CONNECTION_PERSIST,
  upgrade: undefined,
};
const trace = new StreamTrace();
const attempt = new Attempt();

function pass(request: Buffer, tracing: Tracing | undefined): void {
  decoder.execute(request, 0, request.length);
  const { fields, method, path, authority } = head as RequestHead;
  if (tracing !== undefined) {
    const stream = { headers: fields, trace, attempt } as unknown as Stream;
    tracing.begin(stream);
    if (trace.sampled) tracing.traceAttempt(stream);
    trace.reset();
  }
  out.clear();
  if (writeRequestHead(out, method, path, authority, fields, framing) !== undefined)
    throw new Error('encode');
}

const settings = { respectParent: true, extract: ['w3c', 'b3'], inject: ['w3c'] } as const;
const never = new Tracing({ ...settings, sampleRatio: 0 }, Math.random);
const always = new Tracing({ ...settings, sampleRatio: 1 }, Math.random);
const plain = requestWith();
const unsampled = requestWith(`${PARENT}00`);
const sampled = requestWith(`${PARENT}01`);

const seconds = Number(process.argv[2] ?? 0.5);
const { gc } = globalThis as { gc?: () => void };

/** CPU time of the process, which a busy machine changes less than the clock on the wall. */
function nanosecondsEach(once: () => void): number {
  for (let i = 0; i < 20_000; i++) once();
  gc?.();
  const before = process.cpuUsage();
  let count = 0;
  let spentMicros = 0;
  while (spentMicros < seconds * 1e6) {
    for (let i = 0; i < 1000; i++) once();
    count += 1000;
    const { user, system } = process.cpuUsage(before);
    spentMicros = user + system;
  }
  return (spentMicros * 1000) / count;
}

const CASES: readonly (readonly [label: string, request: Buffer, tracing: Tracing | undefined])[] = [
  ['no trace context, tracing off', plain, undefined],
  ['no trace context, begun here without spans', plain, never],
  ['no trace context, begun here with spans', plain, always],
  ['unsampled traceparent, tracing off', unsampled, undefined],
  ['unsampled traceparent, tracing on', unsampled, always],
  ['sampled traceparent, tracing off', sampled, undefined],
  ['sampled traceparent, tracing on', sampled, always],
];
// Rounds are interleaved, so that a busy moment does not fall on one case.
const rounds = CASES.map((): number[] => []);
for (let round = 0; round < 9; round++)
  for (const [i, [, request, tracing]] of CASES.entries())
    rounds[i]?.push(nanosecondsEach(() => pass(request, tracing)));
for (const [i, [label]] of CASES.entries()) {
  const sorted = (rounds[i] ?? []).toSorted((a, b) => a - b);
  process.stdout.write(`${label.padEnd(44)} ${(sorted[4] ?? 0).toFixed(0).padStart(6)} ns\n`);
}
