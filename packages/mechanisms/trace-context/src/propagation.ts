import { knownNameId } from '@tulle/fields';
import { formatB3, parseB3, parseB3Multi, shortest } from './b3.ts';
import {
  FLAG_RANDOM,
  FLAG_SAMPLED,
  FOUND_B3,
  FOUND_B3_OTHERS,
  FOUND_B3_TRACE_ID,
  FOUND_TRACEPARENT,
  FOUND_TRACESTATE,
  FOUND_TWO_TRACEPARENTS,
  type TraceContext,
} from './trace-context.ts';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

/** Formats that can be read; `b3` is the single header and, where that is missing, the `X-B3-*` ones. */
export type ExtractFormat = 'w3c' | 'b3';
/** Formats that can be written. */
export type InjectFormat = 'w3c' | 'b3' | 'b3multi';

/** The fields of a request; names in lower case. */
export interface TraceFields {
  readonly length: number;
  name(index: number): string;
  get(name: string): string | undefined;
  /** Replaces every line of that name by one. */
  put(name: string, value: string): void;
  drop(name: string): number;
  /**
   * Adds a line of a name that no line has. Unlike `put` it looks for none and checks nothing.
   * @param id known-name number of the name (`knownNameId`)
   */
  pushValue(id: number, name: string, value: string): void;
}

/** Reads and writes trace context in the fields of requests. */
export interface Propagation {
  /** Reads the first format that says something valid. `into` must be cleared. @returns whether one did */
  extract(fields: TraceFields, into: TraceContext): boolean;
  /** Writes every configured format over what is there. @param spanId the parent of whatever the receiver makes */
  inject(fields: TraceFields, traceId: string, spanId: string, flags: number): void;
  /**
   * The same for a trace that begins without spans.
   * @param traceparent as `Ids.unsampled` makes it
   * @param found what `fields` have, as `extract` says it; 0 after `strip`
   */
  injectUnsampled(fields: TraceFields, traceparent: string, found: number): void;
  /**
   * Writes the configured formats that the request lacked when `context` was extracted, so that a receiver that reads
   * only those learns it too.
   */
  complete(fields: TraceFields, context: TraceContext): void;
  /** Removes every format. */
  strip(fields: TraceFields): void;
}

/** Makes a {@link Propagation}. */
export function createPropagation(options: {
  /** In order of precedence. */
  readonly extract: readonly ExtractFormat[];
  readonly inject: readonly InjectFormat[];
}): Propagation {
  const readers = options.extract.map((format) => (format === 'w3c' ? readW3c : readB3));
  const writers = [...new Set(options.inject)].map((format) => WRITERS[format]);
  return {
    extract(fields, into) {
      into.found = findFields(fields);
      if (into.found === 0) return false;
      for (let i = 0; i < readers.length; i++) if ((readers[i] as Reader)(fields, into)) return true;
      return false;
    },
    inject(fields, traceId, spanId, flags) {
      for (let i = 0; i < writers.length; i++) (writers[i] as Writer).write(fields, traceId, spanId, flags);
    },
    injectUnsampled(fields, traceparent, found) {
      for (let i = 0; i < writers.length; i++) {
        const writer = writers[i] as Writer;
        // Most requests come without one, and these are our own hex digits: to look and to check would double the cost.
        if (writer === WRITERS.w3c && (found & FOUND_TRACEPARENT) === 0)
          fields.pushValue(TRACEPARENT_ID, 'traceparent', traceparent);
        else if (writer === WRITERS.w3c) fields.put('traceparent', traceparent);
        else writer.write(fields, traceparent.slice(3, 35), traceparent.slice(36, 52), FLAG_RANDOM);
      }
    },
    complete(fields, { traceId, parentId, flags, found }) {
      for (let i = 0; i < writers.length; i++) {
        const writer = writers[i] as Writer;
        if ((found & writer.found) === 0) writer.write(fields, traceId, parentId, flags);
      }
    },
    strip(fields) {
      const found = findFields(fields);
      if (found === 0) return;
      if ((found & FOUND_TRACEPARENT) !== 0) fields.drop('traceparent');
      if ((found & FOUND_TRACESTATE) !== 0) fields.drop('tracestate');
      if ((found & FOUND_B3) !== 0) fields.drop('b3');
      if ((found & FOUND_B3_OTHERS) !== 0) for (const name of B3_OTHERS) fields.drop(name);
    },
  };
}

const TRACEPARENT_ID = knownNameId('traceparent');

type Reader = (fields: TraceFields, into: TraceContext) => boolean;

/** One pass over the names: most requests have none of them. */
function findFields(fields: TraceFields): number {
  const { length } = fields;
  let found = 0;
  for (let i = 0; i < length; i++) {
    const name = fields.name(i);
    if (name.length === 11 && name === 'traceparent')
      found |= (found & FOUND_TRACEPARENT) === 0 ? FOUND_TRACEPARENT : FOUND_TWO_TRACEPARENTS;
    else if (name.length === 10 && name === 'tracestate') found |= FOUND_TRACESTATE;
    else if (name.length === 2 && name === 'b3') found |= FOUND_B3;
    else if (name.length >= 10 && name.charCodeAt(2) === 98 && name.startsWith('x-b3-'))
      found |= name === 'x-b3-traceid' ? FOUND_B3_TRACE_ID | FOUND_B3_OTHERS : FOUND_B3_OTHERS;
  }
  return found;
}

function readW3c(fields: TraceFields, into: TraceContext): boolean {
  // Two parents are none: which of them a receiver believes is anybody's guess.
  if ((into.found & (FOUND_TRACEPARENT | FOUND_TWO_TRACEPARENTS)) !== FOUND_TRACEPARENT) return false;
  return parseTraceparent(fields.get('traceparent') ?? '', into);
}

function readB3(fields: TraceFields, into: TraceContext): boolean {
  if ((into.found & FOUND_B3) !== 0 && parseB3(fields.get('b3') ?? '', into)) return true;
  if ((into.found & FOUND_B3_OTHERS) === 0) return false;
  return parseB3Multi(
    fields.get('x-b3-traceid'),
    fields.get('x-b3-spanid'),
    fields.get('x-b3-sampled'),
    fields.get('x-b3-flags'),
    into,
  );
}

interface Writer {
  /** Bit of {@link TraceContext.found} by which one sees that the format is there. */
  readonly found: number;
  write(fields: TraceFields, traceId: string, spanId: string, flags: number): void;
}

const WRITERS: Readonly<Record<InjectFormat, Writer>> = {
  w3c: {
    found: FOUND_TRACEPARENT,
    write: (fields, traceId, spanId, flags) =>
      fields.put('traceparent', formatTraceparent(traceId, spanId, flags)),
  },
  b3: {
    found: FOUND_B3,
    write: (fields, traceId, spanId, flags) => fields.put('b3', formatB3(traceId, spanId, flags)),
  },
  b3multi: {
    found: FOUND_B3_TRACE_ID,
    write(fields, traceId, spanId, flags) {
      fields.put('x-b3-traceid', shortest(traceId));
      fields.put('x-b3-spanid', spanId);
      fields.put('x-b3-sampled', (flags & FLAG_SAMPLED) === 0 ? '0' : '1');
      // What the caller's span had for a parent is not true of ours; a debug wish has become "sampled".
      fields.drop('x-b3-parentspanid');
      fields.drop('x-b3-flags');
    },
  },
};

const B3_OTHERS = ['x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'] as const;
