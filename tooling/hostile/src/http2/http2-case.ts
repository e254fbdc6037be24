import { MARK, type Seen } from '../corpus/index.ts';
import { headers, type Fields } from './frames.ts';

/** Frames of a client behind its preface and SETTINGS. {@link MARK} in them is replaced, which changes no length. */
export interface Http2Case {
  readonly group: string;
  /** What is odd about it, for people. */
  readonly what: string;
  /** `hostile`: must be refused: reset, GOAWAY, close or a status from 400. `odd`: valid, and must pass. */
  readonly kind: 'hostile' | 'odd';
  readonly frames: readonly Buffer[];
  /** Instead of preface and SETTINGS. */
  readonly preface?: Buffer;
  /** Requests that may reach the origin; for `odd`: that must. */
  readonly allowed: number;
  /** Streams whose answer is waited for; default 1. */
  readonly streams?: readonly number[];
  readonly seen?: readonly Seen[];
  /** What is unwanted may be left out: a good answer is none too many. */
  readonly anyAnswer?: boolean;
}

/** Pseudo-headers and fields of a GET. */
export function get(...more: Fields): [string, string][] {
  return request('GET', `/t/${MARK}`, ...more);
}

export function post(...more: Fields): [string, string][] {
  return request('POST', `/t/${MARK}`, ...more);
}

export function request(method: string, path: string, ...more: Fields): [string, string][] {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'origin.test'],
    [':path', path],
    ...more.map(([name, value]): [string, string] => [name, value]),
  ];
}

/** One refused case per list of frames. */
export function hostile(
  group: string,
  cases: Readonly<Record<string, readonly Buffer[]>>,
  allowed = 0,
): Http2Case[] {
  return Object.entries(cases).map(([what, frames]) => ({ group, what, kind: 'hostile', frames, allowed }));
}

/** One refused request per list of fields, ended with its head. */
export function hostileHeads(group: string, cases: Readonly<Record<string, Fields>>): Http2Case[] {
  return hostile(
    group,
    Object.fromEntries(Object.entries(cases).map(([what, fields]) => [what, [headers(1, fields)]])),
  );
}
