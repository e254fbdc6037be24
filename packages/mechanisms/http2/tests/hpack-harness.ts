import { ByteWriter } from '@tulle/fields';
import {
  HpackDecoder,
  HpackEncoder,
  type HpackFault,
  type HpackFieldSink,
  type Indexing,
} from '../src/index.ts';

/** A field as a test writes it. */
export type Field = readonly [name: string, value: string, indexing?: Indexing];

/** Keeps what a decoder hands over, one line a field: `name: value`, `!name: value (rule)` for invalid ones. */
export class Lines implements HpackFieldSink {
  readonly lines: string[] = [];
  readonly ids: number[] = [];
  readonly never: boolean[] = [];
  onField(id: number, name: string, value: string, neverIndexed: boolean): void {
    this.lines.push(`${name}: ${value}`);
    this.ids.push(id);
    this.never.push(neverIndexed);
  }
  onInvalidField(name: string, value: string, rule: string): void {
    this.lines.push(`!${name}: ${value} (${rule})`);
  }
}

/** Lines of one block, or the rule that it broke. @param block hex, blanks allowed, or octets */
export function decoded(decoder: HpackDecoder, block: string | Buffer): string[] | string {
  const { fault, sink } = decodedFully(decoder, block);
  return fault === undefined ? sink.lines : fault.rule;
}

export function decodedFully(
  decoder: HpackDecoder,
  block: string | Buffer,
): { readonly fault: HpackFault | undefined; readonly sink: Lines } {
  const octets = typeof block === 'string' ? Buffer.from(block.replaceAll(' ', ''), 'hex') : block;
  // somewhere in a larger buffer, with other octets around
  const within = Buffer.concat([Buffer.alloc(3, 0xff), octets, Buffer.alloc(3, 0x82)]);
  const sink = new Lines();
  return { fault: decoder.decode(within, 3, 3 + octets.length, sink), sink };
}

/** One block. */
export function encoded(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  const out = new ByteWriter(4);
  encoder.begin(out);
  for (const [name, value, indexing] of fields) encoder.field(out, name, value, indexing);
  return Buffer.from(out.view());
}
