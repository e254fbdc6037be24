import type { Slot } from '@tulle/filter';
import { createTimerWheel } from '@tulle/time';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Services } from '../services.ts';
import type { HttpChain } from '../compile/compiled.ts';
import type { Downstream } from '../sides.ts';
import { MAX_NOTES, Stream } from './stream.ts';

const clock = { nowMs: () => 1, epochMs: () => 1, setTimer: () => () => {} };
const engine = {
  wheel: createTimerWheel({ clock }),
  doors: { onIdleTimeout() {}, onRequestTimeout() {} },
  replayAccount: { maxBytes: 0, usedBytes: 0, overflows: { add() {} } },
  streams: { active: 0 },
} as unknown as Services;
const slot = { name: 'x' } as unknown as Slot<string>;
const chain = { retain() {} } as unknown as HttpChain;
const downstream = { connection: { tls: false } } as unknown as Downstream;

it('keeps as many notes as it may, and counts those that do not fit', () => {
  const stream = new Stream(engine);
  stream.begin(downstream, chain, 1);
  for (let i = 0; i < MAX_NOTES + 3; i++) stream.note(i, -1 - i, 2 ** 31 - 1 - i);
  expect([stream.noteCount, stream.notesDropped]).toEqual([MAX_NOTES, 3]);
  const notes = new Int32Array(MAX_NOTES * 3);
  expect(stream.copyNotes(notes, 0)).toBe(MAX_NOTES * 3);
  expect([...notes.slice(0, 3)]).toEqual([0, -1, 2 ** 31 - 1]);
  expect([...notes.slice(63 * 3)]).toEqual([63, -64, 2 ** 31 - 64]);
});

it('keeps notes as they were given, whatever stands in them', () => {
  const site = fc.integer({ min: -20, max: 1_000 });
  const reason = fc.oneof(fc.nat(20), fc.constantFrom(-1, 65_534, 65_535, 65_536), fc.integer());
  fc.assert(
    fc.property(fc.array(fc.tuple(site, reason, fc.integer()), { maxLength: MAX_NOTES }), (given) => {
      const stream = new Stream(engine);
      for (const [where, why, what] of given) stream.note(where, why, what);
      const notes = new Int32Array(given.length * 3 + 1);
      expect(stream.copyNotes(notes, 1)).toBe(notes.length);
      expect([...notes.slice(1)]).toEqual(given.flat());
    }),
  );
});

it('has no moment behind the time at which it was noted, and none more than a microsecond before', () => {
  const ms = fc.double({ min: 0, max: 1e7, noNaN: true });
  fc.assert(
    fc.property(ms, ms, (startMs, tookMs) => {
      const stream = new Stream(engine);
      stream.startMs = startMs;
      stream.answersAt(startMs + tookMs);
      const shortMs = startMs + tookMs - startMs - stream.firstByteMs;
      // As far as a double has them.
      expect(shortMs).toBeGreaterThanOrEqual(-1e-8);
      expect(shortMs).toBeLessThanOrEqual(0.001 + 1e-8);
    }),
  );
});

it('is like a new one after it was used, whatever was set', () => {
  const fresh = new Stream(engine);
  const stream = new Stream(engine);
  stream.begin(downstream, chain, 1);
  const flags = flagsOf(stream);
  for (const name of flags) {
    Object.assign(stream, { [name]: true });
    expect(flags.filter((other) => Reflect.get(stream, other) === true)).toContain(name);
  }
  stream.tried = [{} as never];
  stream.hash = 7;
  stream.upgrade = 'websocket';
  stream.deadlineMs = 5.5;
  stream.responseChoices = [1];
  stream.note(1, 2, 3);
  stream.flag('UF');
  stream.localFields.add('x-one', '1');
  stream.ownTrace().traceId = 'aa';
  stream.setSlot(slot, 'value');
  stream.attempt.begin('a', 0);
  stream.attempt.end(1_000);
  stream.attempt.begin('a', 1_000);
  stream.attempt.end(3_000);
  expect(
    stream.attempt.records('a').map(({ cluster, startMs, durationMs }) => [cluster, startMs, durationMs]),
  ).toEqual([
    ['a', 0, 1],
    ['a', 1, 2],
  ]);
  stream.reset();
  for (const name of [
    ...flags,
    'tried',
    'hash',
    'upgrade',
    'deadlineMs',
    'passing',
    'noteCount',
    'flags',
    'responseFields',
  ])
    expect(Reflect.get(stream, name), name).toEqual(Reflect.get(fresh, name));
  expect([stream.localFields.length, stream.trace.traceId, stream.getSlot(slot)]).toEqual([0, '', undefined]);
  expect(stream.attempt.records('a')).toEqual([]);
});

/** Names of what is true or not of a stream. */
function flagsOf(stream: Stream): string[] {
  const names: string[] = [];
  for (let at: object = stream; at !== Object.prototype; at = Object.getPrototypeOf(at) as object)
    for (const [name, { set }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (set !== undefined && typeof Reflect.get(stream, name) === 'boolean') names.push(name);
  expect(names.length).toBeGreaterThanOrEqual(20);
  return names;
}
