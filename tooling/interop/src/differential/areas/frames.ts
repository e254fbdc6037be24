import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange } from '../configuration.ts';
import { block, END_HEADERS, END_STREAM, frame, PADDED, TYPE, uint16, uint32 } from '../frames.ts';
import { everyHost } from './vocabulary.ts';

/** Valid HTTP/2 in every shape that it may have: how fields and content are cut, padded, held back, and ended. */
export const frames: Area = {
  name: 'frames',
  short: 25,
  make(chance): Configuration {
    const origin = chance.pick(['a', 'a', 'h2']);
    return {
      routes: everyHost([{ match: { prefix: '/' }, route: { cluster: origin } }]),
      exchanges: Array.from({ length: 5 }, () => {
        const body = 'y'.repeat(chance.pick([0, 1, 9, 500, 20_000, 40_000]));
        return { ...conversation(chance, body.length), answers: { [origin]: [answer(chance, body)] } };
      }),
    };
  },
};

function answer(chance: Chance, body: string): Answer {
  return {
    body,
    status: chance.pick([200, 200, 201, 404]),
    ...(chance.maybe(0.2) && { trailers: [['x-after', 'z']] as const }),
  };
}

/** SETTINGS_INITIAL_WINDOW_SIZE, SETTINGS_MAX_FRAME_SIZE (RFC 9113 §6.5.2). */
const INITIAL_WINDOW = 4;
const MAX_FRAME = 5;

/** Some requests over one connection. @param length of each answer's content */
function conversation(chance: Chance, length: number): Exchange {
  const isHeld = chance.maybe(0.3);
  // How much of each answer may come, and how much once more is let come; what is held back for good costs the client its patience.
  const window = isHeld ? chance.pick([0, 1, 8, 499, 16_384]) : 65_535;
  const more = isHeld ? (chance.maybe(0.12) ? 3 : length + 1) : 0;
  const streams = Array.from({ length: chance.pick([1, 1, 2, 3]) }, (_, i) => 2 * i + 1);
  const parts = streams.map((stream) => [
    ...requestOn(chance, stream),
    ...(more > 0 ? [frame(TYPE.windowUpdate, 0, stream, uint32(more))] : []),
  ]);
  return {
    protocol: 'frames',
    counted: true,
    bytes: [
      ...(isHeld ? [frame(TYPE.settings, 0, 0, uint16(INITIAL_WINDOW) + uint32(window))] : []),
      ...(chance.maybe(0.1) ? [frame(TYPE.settings, 0, 0, uint16(MAX_FRAME) + uint32(20_000))] : []),
      // For all streams together there is room.
      frame(TYPE.windowUpdate, 0, 0, uint32(1_000_000)),
      ...interleaved(chance, parts),
    ].join(''),
  };
}

/** Frames of several streams in any order that keeps that of each; streams begin by number. */
function interleaved(chance: Chance, parts: readonly (readonly string[])[]): string[] {
  const left = parts.map((part) => [...part]);
  const all: string[] = [];
  let begun = 0;
  while (left.some((part) => part.length > 0)) {
    const open = left.slice(0, begun).filter((part) => part.length > 0);
    const next = left[begun];
    if (next !== undefined && (open.length === 0 || chance.maybe(0.5))) {
      begun += 1;
      all.push(next.shift() as string);
      continue;
    }
    all.push(chance.pick(open).shift() as string);
    if (chance.maybe(0.1)) all.push(between(chance));
  }
  return all;
}

/** What may stand between the frames of any stream. */
function between(chance: Chance): string {
  return chance.pick([
    frame(TYPE.ping, 0, 0, 'between!'),
    frame(0x42, 0, 0, 'unknown'),
    frame(TYPE.windowUpdate, 0, 0, uint32(1)),
    frame(TYPE.settings, 0, 0, ''),
  ]);
}

/** A whole request, in frames; a block of fields and its continuations are one piece. */
function requestOn(chance: Chance, stream: number): string[] {
  const body = chance.maybe(0.6) ? 'x'.repeat(chance.pick([0, 1, 10, 3000])) : undefined;
  const trailers = body !== undefined && chance.maybe(0.25);
  const fields = [
    [':method', body === undefined ? chance.pick(['GET', 'HEAD', 'DELETE']) : chance.pick(['POST', 'PUT'])],
    [':scheme', 'http'],
    [':path', `/${stream}`],
    [':authority', 'one.test'],
    ...(chance.maybe(0.5) ? [['x-one', 'v'.repeat(chance.int(0, 300))] as const] : []),
    ...(body !== undefined && chance.maybe(0.5) ? [['content-length', String(body.length)] as const] : []),
  ] as const;
  const head = fieldsOn(chance, stream, fields, body === undefined, 4);
  if (body === undefined) return [head];
  const pieces = cut(chance, body, 3);
  return [
    head,
    ...pieces.map((piece, i) => dataOn(chance, stream, piece, i === pieces.length - 1 && !trailers)),
    ...(trailers ? [fieldsOn(chance, stream, [['x-end', 'e']], true, 1)] : []),
  ];
}

/** HEADERS, padded or with a priority as may be, and as many CONTINUATION (RFC 9113 §6.2, §6.10). @param most frames at all */
function fieldsOn(
  chance: Chance,
  stream: number,
  fields: readonly (readonly [string, string])[],
  isEnd: boolean,
  most: number,
): string {
  const [first = '', ...rest] = cut(chance, block(fields), chance.maybe(0.4) ? most : 1);
  const padding = chance.maybe(0.3) ? chance.int(0, 255) : undefined;
  const priority = chance.maybe(0.2) ? uint32(0) + '\u0010' : '';
  const flags =
    (isEnd ? END_STREAM : 0) |
    (rest.length === 0 ? END_HEADERS : 0) |
    (padding === undefined ? 0 : PADDED) |
    (priority === '' ? 0 : 0x20);
  return [
    frame(TYPE.headers, flags, stream, padded(priority + first, padding)),
    ...rest.map((piece, i) =>
      frame(TYPE.continuation, i === rest.length - 1 ? END_HEADERS : 0, stream, piece),
    ),
  ].join('');
}

function dataOn(chance: Chance, stream: number, piece: string, isEnd: boolean): string {
  const padding = chance.maybe(0.3) ? chance.int(0, 255) : undefined;
  const flags = (isEnd ? END_STREAM : 0) | (padding === undefined ? 0 : PADDED);
  return frame(TYPE.data, flags, stream, padded(piece, padding));
}

/** Length of the padding, what is sent, and the padding (RFC 9113 §6.1); as it stands without any. */
function padded(text: string, padding: number | undefined): string {
  return padding === undefined ? text : String.fromCharCode(padding) + text + '\u0000'.repeat(padding);
}

/** Pieces of a text, at most so many, at any place; none is empty but that of an empty text, as Envoy takes empty frames for a flood. */
function cut(chance: Chance, text: string, most: number): string[] {
  const places = Array.from({ length: chance.int(0, most - 1) }, () => chance.int(0, text.length)).toSorted(
    (one, other) => one - other,
  );
  const pieces = [0, ...places].map((from, i) => text.slice(from, places[i] ?? text.length));
  const some = pieces.filter((piece) => piece !== '');
  return some.length > 0 ? some : [''];
}
