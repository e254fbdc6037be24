import { ByteWriter } from '@tulle/fields';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodedFully, Lines, type Field } from '../../tests/hpack-harness.ts';
import { HpackDecoder, HpackEncoder, INDEX, NEVER_INDEX, NO_INDEX } from '../index.ts';

const name = fc.oneof(
  fc.constantFrom(
    ':method',
    ':path',
    ':status',
    ':authority',
    'accept',
    'cookie',
    'date',
    'x-request-id',
    'authorization',
  ),
  fc.constantFrom('x-a', 'x-b', 'x-c', 'a-name-that-is-longer-than-any-that-is-kept-in-a-cache-of-names'),
  fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/),
);
const value = fc.oneof(
  fc.constantFrom('', 'GET', '/', '200', 'gzip, deflate', 'one', 'two', 'three'),
  fc.stringMatching(/^[!-~\u00a0-\u00ff]([ -~]{0,200}[!-~])?$/),
);
const indexing = fc.constantFrom(undefined, undefined, INDEX, NO_INDEX, NEVER_INDEX);
const field: fc.Arbitrary<Field> = fc
  .tuple(name, value, indexing)
  .map(([it, text, how]) => (how === undefined ? [it, text] : [it, text, how]));
const message = fc.record({
  /** Settings that the peer sends before the block. */
  tableBytes: fc.array(fc.oneof(fc.constantFrom(0, 64, 4096), fc.nat(9000)), { maxLength: 3 }),
  fields: fc.array(field, { maxLength: 25 }),
});

describe('HPACK', () => {
  it('gives back what was written, whatever table sizes the peers agree on', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 100, 4096, 8192),
        fc.constantFrom('stored' as const, 'always' as const),
        fc.array(message, { maxLength: 12 }),
        (ownBytes, huffman, messages) => {
          const encoder = new HpackEncoder(ownBytes, { huffman });
          // a decoder that lets the encoder do what its own settings say: they are checked below
          const decoder = new HpackDecoder(9000);
          decoder.acknowledged();
          const out = new ByteWriter(16);
          let allowed = 4096;
          for (const { tableBytes, fields } of messages) {
            for (const bytes of tableBytes) encoder.setMaxTableBytes((allowed = bytes));
            out.clear();
            encoder.begin(out);
            for (const [it, text, how] of fields) encoder.field(out, it, text, how);
            const { fault, sink } = decodedFully(decoder, Buffer.from(out.view()));
            expect(fault).toBeUndefined();
            expect(sink.lines).toEqual(fields.map(([it, text]) => `${it}: ${text}`));
            fields.forEach(([, , how], at) => {
              if (how === NEVER_INDEX) expect(sink.never[at]).toBe(true);
            });
            expect(encoder.tableBytes).toBe(decoder.tableBytes);
            expect(encoder.tableBytes).toBeLessThanOrEqual(Math.min(allowed, ownBytes));
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('reads any octets: no exception, no more than the table in memory, every octet once', () => {
    const octet = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0x20, 0x3f, 0x40, 0x82, 0xbe, 0xbf, 0xff, 0x7f, 0x00, 0x01, 0x61),
    );
    const blocks = fc.array(
      fc.array(octet, { maxLength: 60 }).map((octets) => Buffer.from(octets)),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(blocks, fc.constantFrom(0, 200, 4096), (them, tableBytes) => {
        const decoder = new HpackDecoder(tableBytes);
        for (const block of them) {
          const { fault } = decodedFully(decoder, block);
          expect(decoder.tableBytes).toBeLessThanOrEqual(4096);
          if (fault !== undefined) return;
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('reads blocks with a flaw: the fields before it, then a rule or other fields', () => {
    fc.assert(
      fc.property(
        fc.array(field, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        fc.nat(255),
        (fields, place, octet) => {
          const out = new ByteWriter();
          const encoder = new HpackEncoder();
          encoder.begin(out);
          const ends: number[] = [];
          for (const [it, text, how] of fields) {
            encoder.field(out, it, text, how);
            ends.push(out.length);
          }
          const block = Buffer.from(out.view());
          const at = place % block.length;
          block[at] = octet;
          const sink = new Lines();
          new HpackDecoder().decode(block, 0, block.length, sink);
          const sound = ends.filter((end) => end <= at).length;
          expect(sink.lines.slice(0, sound)).toEqual(
            fields.slice(0, sound).map(([it, text]) => `${it}: ${text}`),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });
});
