import { ByteWriter, FieldTable } from '@tulle/fields';
import { describe, expect, it } from 'vitest';
import { decoded, decodedFully, encoded, type Field } from '../../tests/hpack-harness.ts';
import { HpackDecoder, HpackEncoder, INDEX, NEVER_INDEX, NO_INDEX } from '../index.ts';

const sizes = (encoder: HpackEncoder, messages: readonly (readonly Field[])[]): number[] =>
  messages.map((message) => encoded(encoder, message).length);

/** Representation of the only field of each block: `indexed`, `stored`, `plain` or `never`. */
function kinds(encoder: HpackEncoder, fields: readonly Field[]): string[] {
  return fields.map((field) => {
    const first = encoded(encoder, [field])[0] as number;
    return first >= 0x80 ? 'indexed' : first >= 0x40 ? 'stored' : first >= 0x10 ? 'never' : 'plain';
  });
}

const values = (name: string, ...all: string[]): Field[] => all.map((value) => [name, value]);

describe('an encoder of header blocks', () => {
  it('writes a usual request in ten octets once it is known', () => {
    const message: Field[] = [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', '/shop.v1.Items/Get'],
      [':authority', 'shop.example.com'],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['user-agent', 'grpc-node-js/1.14.0'],
      ['grpc-accept-encoding', 'identity,deflate,gzip'],
      ['x-team', 'blue'],
      ['accept', '*/*'],
    ];
    expect(sizes(new HpackEncoder(), [message, message, message])[2]).toBe(10);
  });

  it('puts the first value of a name into the table, and another one when it comes twice in a row', () => {
    const encoder = new HpackEncoder();
    expect(kinds(encoder, values('x-team', 'a', 'a', 'b', 'c', 'b', 'b', 'b', 'a'))).toEqual([
      'stored',
      'indexed',
      'plain',
      'plain',
      'plain',
      'stored',
      'indexed',
      'indexed',
    ]);
  });

  it('is not emptied by values that differ every time', () => {
    const encoder = new HpackEncoder();
    encoded(encoder, [['x-constant', 'kept']]);
    for (let i = 0; i < 10_000; i++)
      encoded(encoder, [
        ['x-changing', `value ${i}`],
        ['x-request-id', `id ${i}`],
        [':path', `/items/${i}`],
        ['etag', `"${i}"`],
      ]);
    expect(kinds(encoder, [['x-constant', 'kept']])).toEqual(['indexed']);
    // constant, changing and request id; nothing of paths and etags
    expect(encoder.tableBytes).toBeLessThan(200);
  });

  it('puts a path in only when it comes twice in a row', () => {
    expect(kinds(new HpackEncoder(), values(':path', '/a', '/b', '/a', '/a', '/a', '/'))).toEqual([
      'plain',
      'plain',
      'plain',
      'stored',
      'indexed',
      'indexed',
    ]);
  });

  it('never indexes secrets, nor cookies that are short enough to guess', () => {
    const encoder = new HpackEncoder();
    const long = 'session=0123456789abcdef';
    expect(kinds(encoder, values('authorization', 'Bearer x', 'Bearer x'))).toEqual(['never', 'never']);
    expect(kinds(encoder, values('proxy-authorization', 'Basic x'))).toEqual(['never']);
    expect(kinds(encoder, values('x-api-key', 'k', 'k'))).toEqual(['never', 'never']);
    expect(kinds(encoder, values('cookie', 'a=b', 'a=b', long, long))).toEqual([
      'never',
      'never',
      'stored',
      'indexed',
    ]);
    expect(kinds(encoder, values('set-cookie', 'a=b', 'a=b'))).toEqual(['plain', 'plain']);
    expect(kinds(encoder, values('content-length', '5', '5'))).toEqual(['plain', 'plain']);
  });

  it('does what the caller says', () => {
    const encoder = new HpackEncoder();
    expect(
      kinds(encoder, [
        ['x-a', '1', NO_INDEX],
        ['x-a', '1', INDEX],
        ['x-a', '1', NO_INDEX],
        ['x-a', '1', NEVER_INDEX],
        ['authorization', 'x', INDEX],
        ['authorization', 'x'],
      ]),
    ).toEqual(['plain', 'stored', 'indexed', 'never', 'stored', 'indexed']);
  });

  it('keeps what a sender forbade to index so at the next hop, and leaves out the lines of one hop', () => {
    const table = new FieldTable();
    for (let round = 0; round < 2; round++) {
      table.pushValue(0, 'x-key', 'k', true);
      table.pushValue(0, 'x-team', 'blue');
    }
    table.put('connection', 'x-team');
    table.put('host', 'a');
    const out = new ByteWriter();
    const encoder = new HpackEncoder();
    encoder.begin(out);
    encoder.fields(out, table);
    const { sink } = decodedFully(new HpackDecoder(), Buffer.from(out.view()));
    expect([sink.lines, sink.never]).toEqual([
      ['x-key: k', 'x-team: blue', 'x-key: k', 'x-team: blue'],
      [true, false, true, false],
    ]);
  });

  it('leaves out fields that would push out most others', () => {
    const encoder = new HpackEncoder();
    expect(kinds(encoder, values('x-large', 'a'.repeat(3000), 'a'.repeat(3000)))).toEqual(['plain', 'plain']);
    expect(kinds(encoder, [['x-large', 'a'.repeat(3000), INDEX]])).toEqual(['stored']);
    expect(kinds(encoder, [['x-huge', 'a'.repeat(5000), INDEX]])).toEqual(['plain']);
    const decoder = new HpackDecoder();
    expect(decoded(decoder, encoded(encoder, [['x-large', 'a'.repeat(3000)]]))).toBe('hpack-index');
  });

  it('writes long values, and Huffman code where that is shorter', () => {
    for (const huffman of ['stored', 'always'] as const) {
      const encoder = new HpackEncoder(4096, { huffman });
      const message: Field[] = [
        ['x-long', 'a'.repeat(100_000), NO_INDEX],
        ['x-odd', '\xff'.repeat(300), NO_INDEX],
        ['x-usual', 'application/json', NO_INDEX],
        ['x-usual', '', NO_INDEX],
      ];
      const block = encoded(encoder, message);
      expect(decoded(new HpackDecoder(), block)).toEqual(message.map(([name, value]) => `${name}: ${value}`));
      expect(block.length > 100_000).toBe(huffman === 'stored');
    }
  });

  it('tells size updates at the start of the next block: the smallest, then the last', () => {
    const decoder = new HpackDecoder();
    const encoder = new HpackEncoder();
    decoded(
      decoder,
      encoded(encoder, [
        ['x-a', '1'],
        ['x-b', '2'],
      ]),
    );
    encoder.setMaxTableBytes(4096);
    expect(encoded(encoder, []).length).toBe(0);
    encoder.setMaxTableBytes(100);
    encoder.setMaxTableBytes(40);
    encoder.setMaxTableBytes(2000);
    const block = encoded(encoder, [['x-b', '2']]);
    expect(block.toString('hex').slice(0, 12)).toBe('3f093fb10fbe');
    expect(decoded(decoder, block)).toEqual(['x-b: 2']);
    expect([decoder.tableBytes, encoder.tableBytes]).toEqual([36, 36]);
    expect(encoded(encoder, []).length).toBe(0);
  });

  it('goes no higher than its own bound, and says so when that is lower than what the peer assumes', () => {
    const encoder = new HpackEncoder(512);
    encoder.setMaxTableBytes(1 << 30);
    expect(encoded(encoder, [[':method', 'GET']]).toString('hex')).toBe('3fe10382');
    const none = new HpackEncoder(0);
    const twice = values('x-a', '1', '1');
    expect(encoded(none, twice).toString('hex')).toBe(`20${encoded(none, twice).toString('hex')}`);
    expect(none.tableBytes).toBe(0);
  });

  it('forgets names without an entry', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (let i = 0; i < 2000; i++) {
      const message: Field[] = [
        [`x-${i}`, 'value'],
        [`x-${i}`, 'value'],
        [`x-${i - 40}`, 'other'],
      ];
      expect(decoded(decoder, encoded(encoder, message))).toEqual(
        message.map(([name, value]) => `${name}: ${value}`),
      );
    }
    expect(encoder.tableBytes).toBe(decoder.tableBytes);
    expect(encoder.namesHeld).toBeLessThan(100);
  });
});
