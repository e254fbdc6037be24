import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { DecisionArena } from './decision-arena.ts';
import type { Decision } from './decision.ts';
import type { Stream } from './stream.ts';

/** What a stream decided; as much of one as the arena reads. */
interface Decided {
  readonly requestId: string;
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly matchedPath: string;
  readonly peerIdentity: string | undefined;
  readonly code: string;
  readonly status: number;
  readonly notes: readonly number[];
  readonly attempts: readonly {
    readonly address: string;
    readonly status: number;
    readonly reused: boolean;
    readonly startMs: number;
    readonly durationMs: number;
  }[];
}

const decided: fc.Arbitrary<Decided> = fc.record({
  requestId: fc.constantFrom('a', 'b', 'c'),
  method: fc.constantFrom('GET', 'POST'),
  target: fc.constantFrom('/', '/a?x=1', '/a?', ''),
  path: fc.constantFrom('/', '/a', '/other'),
  matchedPath: fc.constantFrom('', '/matched'),
  peerIdentity: fc.constantFrom(undefined, 'spiffe://t/ns/a/sa/b'),
  code: fc.constantFrom('', 'TULLE_REQUEST_TIMEOUT'),
  status: fc.integer({ min: 0, max: 599 }),
  notes: fc
    .array(fc.integer(), { maxLength: 192, size: 'max' })
    .map((list) => list.slice(0, list.length - (list.length % 3))),
  attempts: fc.array(
    fc.record({
      address: fc.constantFrom('10.0.0.1:80', '10.0.0.2:80'),
      status: fc.constantFrom(0, 200, 503),
      reused: fc.boolean(),
      startMs: fc.integer({ min: 0, max: 5_000 }),
      durationMs: fc.integer({ min: 0, max: 5_000 }),
    }),
    { maxLength: 16, size: 'max' },
  ),
});

const many = (one: fc.Arbitrary<Decided>): fc.Arbitrary<Decided[]> =>
  fc.array(one, { minLength: 1, maxLength: 120, size: 'max' });

const chain = { name: 'chain' };

function streamOf(one: Decided, startMs: number): Stream {
  const originalPath = one.target === '' ? '/' : (one.target.split('?')[0] as string);
  return {
    chain,
    engine: { turn: { nowMs: startMs + 7 } },
    downstream: { connection: { peerIdentity: one.peerIdentity } },
    requestHead: { path: one.target },
    requestId: one.requestId,
    method: one.method,
    authority: 'shop.example',
    matchedPath: one.matchedPath,
    matchedAuthority: one.matchedPath === '' ? '' : 'matched.example',
    originalPath,
    path: one.path,
    status: one.status,
    code: one.code,
    details: one.code === '' ? '' : 'why',
    startMs,
    copyNotes: (into: Int32Array, at: number) => {
      into.set(one.notes, at);
      return at + one.notes.length;
    },
    noteCount: one.notes.length / 3,
    notesDropped: 0,
    attempt: { records: () => one.attempts },
  } as unknown as Stream;
}

/** What must be read of it. */
function expected(one: Decided, startMs: number): Omit<Decision, 'notes'> & { readonly notes: number[] } {
  const [originalPath, query] = one.target === '' ? ['/'] : (one.target.split('?') as [string, string?]);
  const matched = one.matchedPath !== '';
  return {
    notes: [...one.notes],
    dropped: 0,
    attempts: one.attempts.map((attempt) => ({ ...attempt })),
    chain: chain as never,
    peerIdentity: one.peerIdentity,
    requestId: one.requestId,
    method: one.method,
    authority: matched ? 'matched.example' : 'shop.example',
    path: matched ? one.matchedPath : one.path,
    originalPath,
    query,
    sentPath: one.path,
    status: one.status,
    code: one.code,
    details: one.code === '' ? '' : 'why',
    startMs,
    durationMs: 7,
  };
}

const plain = ({ notes, ...rest }: Decision): object => ({ ...rest, notes: [...notes] });

describe('the arena of decisions', () => {
  it('reads the last ones as they were written, newest first, whatever was written over before them', () => {
    fc.assert(
      fc.property(
        // Where there are no notes, references run out first.
        fc.oneof(many(decided), many(decided.map((one) => ({ ...one, notes: [] })))),
        fc.integer({ min: 1, max: 40 }),
        (all, records) => {
          const arena = new DecisionArena(records, 1);
          for (const [index, one] of all.entries()) arena.put(streamOf(one, index));
          const read = arena.all();
          const last = all.map(expected).toReversed();
          expect(read.map(plain)).toEqual(last.slice(0, read.length));
          expect(arena.size).toBe(read.length);
          expect(arena.oldestMs).toBe(read.at(-1)?.startMs);
          // At least so many fit, however long they are.
          expect(read.length).toBeGreaterThanOrEqual(Math.min(all.length, records, 3));
          expect(read.length).toBeLessThanOrEqual(records);
          for (const id of ['a', 'b', 'c'])
            expect(arena.of(id).map(plain)).toEqual(
              read.map(plain).filter((one) => (one as Decided).requestId === id),
            );
        },
      ),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('keeps all that it was made for where they are of common length', () => {
    const arena = new DecisionArena(64, 48);
    const one = {
      ...fc.sample(decided, { numRuns: 1, seed: 1 })[0],
      notes: Array.from({ length: 18 }, () => 1),
      attempts: [],
    } as Decided;
    for (let i = 0; i < 500; i++) arena.put(streamOf(one, i));
    expect(arena.all().map(({ startMs }) => startMs)).toEqual(
      Array.from({ length: 64 }, (_, back) => 499 - back),
    );
  });
});
