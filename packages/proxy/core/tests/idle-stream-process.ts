// What a stream takes that was asked and answered and waits for hours, in bytes: a process of its own, since its heap is nobody
// else's.
import { FIELD_HOST } from '@tulle/fields';
import { createTimerWheel } from '@tulle/time';
import type { HttpChain } from '../src/compile/compiled.ts';
import type { Services } from '../src/services.ts';
import type { Downstream } from '../src/sides.ts';
import { Stream } from '../src/stream/stream.ts';

const COUNT = 5_000;

const clock = { nowMs: () => 1, epochMs: () => 1, setTimer: () => () => {} };
const engine = {
  wheel: createTimerWheel({ clock }),
  doors: { onIdleTimeout() {} },
  replayAccount: { maxBytes: 0, usedBytes: 0, overflows: { add() {} } },
  streams: { active: 0 },
} as unknown as Services;
const chain = { retain() {} } as unknown as HttpChain;
const downstream = { connection: { tls: false } } as unknown as Downstream;

function answered(): Stream {
  const stream = new Stream(engine);
  stream.begin(downstream, chain, 1.5);
  stream.armIdleTimer(300_000, 1.5);
  stream.method = 'POST';
  for (let i = 0; i < 8; i++) stream.headers.pushValue(FIELD_HOST, 'host', 'shop.example');
  for (let i = 0; i < 4; i++) stream.responseHead.fields.pushValue(0, 'x-one', '1');
  stream.responseFields = stream.responseHead.fields;
  for (let i = 0; i < 4; i++) stream.note(i, i, i);
  stream.attemptCount = 1;
  stream.attempt.begin('origin', stream.microsAt(2.5));
  stream.attempt.end(stream.microsAt(3.5));
  return stream;
}

function takenBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

for (let i = 0; i < 100; i++) answered();
const streams: (Stream | undefined)[] = Array.from({ length: COUNT });
const before = takenBytes();
for (let i = 0; i < COUNT; i++) streams[i] = answered();
const bytesEach = (takenBytes() - before) / COUNT;
process.stdout.write(`${streams.length === COUNT ? bytesEach : 0}\n`);
