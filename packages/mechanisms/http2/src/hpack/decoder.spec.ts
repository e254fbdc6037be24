import { FIELD_HOST, knownNameId } from '@tulle/fields';
import { describe, expect, it } from 'vitest';
import { decoded, decodedFully } from '../../tests/hpack-harness.ts';
import {
  HPACK_FAULTS,
  HpackDecoder,
  PSEUDO_AUTHORITY,
  PSEUDO_METHOD,
  PSEUDO_PATH,
  PSEUDO_PROTOCOL,
  PSEUDO_SCHEME,
  PSEUDO_STATUS,
  PSEUDO_UNKNOWN,
} from '../index.ts';

const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const plain = (text: string): string => text.length.toString(16).padStart(2, '0') + ascii(text);
/** A literal with indexing whose name and value stand there plainly. */
const stored = (name: string, value: string): string => `40${plain(name)}${plain(value)}`;
const unstored = (name: string, value: string): string => `00${plain(name)}${plain(value)}`;

/** ' o' in Huffman code: 010100 00111, padded. */
const space = '50ff';

const after = (blocks: readonly string[], block: string): string[] | string => {
  const decoder = new HpackDecoder();
  for (const before of blocks) expect(decoded(decoder, before)).toBeInstanceOf(Array);
  return decoded(decoder, block);
};

describe('a header block', () => {
  it.each([
    ['index 0', '80', 'hpack-index'],
    ['an index beyond an empty table', 'be', 'hpack-index'],
    ['an index far beyond', 'ff00', 'hpack-index'],
    ['a name by an index beyond the table', '7e0161', 'hpack-index'],
    ['a name by an index beyond the table, not indexed', '0f 2f 0161', 'hpack-index'],
    ['an integer of too many octets', 'ff8080808080', 'hpack-integer'],
    ['an integer of too many octets, zeros all', 'ff808080808000', 'hpack-integer'],
    ['an integer above 2^28', 'ffffffffff01', 'hpack-integer'],
    ['an integer cut short', 'ff80', 'hpack-truncated'],
    ['an integer without its second octet', 'ff', 'hpack-truncated'],
    ['a literal without name', '40', 'hpack-truncated'],
    ['a literal without value', '400161', 'hpack-truncated'],
    ['a literal by index without value', '41', 'hpack-truncated'],
    ['a name cut short', '40056162', 'hpack-truncated'],
    ['a value cut short', '4001610562', 'hpack-truncated'],
    ['a value that says it is huge', '4001617fffffff3f61', 'hpack-truncated'],
    ['a length of a value that overflows', '4001617fffffffffff7f', 'hpack-integer'],
    ['a name with EOS', '4084ffffffff0161', 'hpack-huffman'],
    ['a value with EOS', '41 84 ffffffff', 'hpack-huffman'],
    ['a value with 8 bits of padding', '41 82 0fff', 'hpack-huffman'],
    ['a size update above our setting', '3fe21f', 'hpack-size-update'],
    ['three size updates', '20 20 20', 'hpack-size-update'],
    ['a size update behind a field', '82 20', 'hpack-size-update-late'],
    ['a size update behind a literal', `${unstored('a', 'b')}20`, 'hpack-size-update-late'],
    ['a size update cut short', '3f', 'hpack-truncated'],
  ])('with %s is refused', (_name, block, rule) => {
    const result = decoded(new HpackDecoder(), block);
    expect(result).toBe(rule);
    expect(HPACK_FAULTS[rule as keyof typeof HPACK_FAULTS].reason).toMatch(/RFC 7541/);
  });

  it('may be empty, and may be a size update alone', () => {
    expect(after([], '')).toEqual([]);
    expect(after([], '20 3fe11f')).toEqual([]);
  });

  it('finds the newest field first, and the static table before it', () => {
    const blocks = [stored('a', '1'), stored('b', '2')];
    expect(after(blocks, 'be bf bd 88')).toEqual(['b: 2', 'a: 1', 'www-authenticate: ', ':status: 200']);
    expect(after(blocks, 'c0')).toBe('hpack-index');
  });

  it('takes names by index, from both tables', () => {
    expect(after([stored('x-team', 'blue')], '7e 03 726564 41 01 61')).toEqual([
      'x-team: red',
      ':authority: a',
    ]);
  });

  it('numbers known names, and pseudo-headers below zero', () => {
    const names = [
      ':method',
      ':scheme',
      ':authority',
      ':path',
      ':status',
      ':protocol',
      ':foo',
      'host',
      'x-team',
      'te',
    ];
    const { sink } = decodedFully(new HpackDecoder(), names.map((name) => unstored(name, 'a')).join(''));
    expect(sink.ids).toEqual([
      PSEUDO_METHOD,
      PSEUDO_SCHEME,
      PSEUDO_AUTHORITY,
      PSEUDO_PATH,
      PSEUDO_STATUS,
      PSEUDO_PROTOCOL,
      PSEUDO_UNKNOWN,
      FIELD_HOST,
      0,
      knownNameId('te'),
    ]);
    const indexed = decodedFully(new HpackDecoder(), '81 82 84 86 88 a6');
    expect(indexed.sink.ids).toEqual([
      PSEUDO_AUTHORITY,
      PSEUDO_METHOD,
      PSEUDO_PATH,
      PSEUDO_SCHEME,
      PSEUDO_STATUS,
      FIELD_HOST,
    ]);
  });

  it('says which fields may never be indexed', () => {
    const { sink } = decodedFully(
      new HpackDecoder(),
      `${unstored('a', '1')}10${plain('b')}${plain('2')}1f0803 616263 82`,
    );
    expect([sink.lines, sink.never]).toEqual([
      ['a: 1', 'b: 2', 'authorization: abc', ':method: GET'],
      [false, true, true, false],
    ]);
  });

  it.each([
    ['an upper-case name', unstored('Accept', 'a'), '!Accept: a (field-name)'],
    ['the last upper-case letter', unstored('xZ', 'a'), '!xZ: a (field-name)'],
    ['an upper-case pseudo-header', unstored(':Path', '/'), ':Path: /'],
    ['an empty name', unstored('', 'a'), '!: a (field-name)'],
    ['a blank in a name', unstored('a b', 'a'), '!a b: a (field-name)'],
    ['a colon in a name', unstored('a:b', 'a'), '!a:b: a (field-name)'],
    ['CR LF in a name', unstored('a\r\nb', 'a'), '!a\r\nb: a (field-name)'],
    ['an obs-text octet in a name', unstored('\xe9', 'a'), '!\xe9: a (field-name)'],
    ['a long upper-case name', unstored(`${'x'.repeat(60)}A`, 'a'), `!${'x'.repeat(60)}A: a (field-name)`],
    ['CR LF in a value', unstored('a', 'x\r\nb: c'), '!a: x\r\nb: c (field-value)'],
    ['LF in a value', unstored('a', 'x\ny'), '!a: x\ny (field-value)'],
    ['NUL in a value', unstored('a', '\0'), '!a: \0 (field-value)'],
    ['DEL in a value', unstored('a', '\x7f'), '!a: \x7f (field-value)'],
    ['a blank before a value', unstored('a', ' x'), '!a:  x (field-value)'],
    ['a tab behind a value', unstored('a', 'x\t'), '!a: x\t (field-value)'],
    ['a blank alone', unstored('a', ' '), '!a:   (field-value)'],
    ['a bad value of a pseudo-header', unstored(':path', '/\r\n'), '!:path: /\r\n (field-value)'],
    ['LF in a Huffman value', '00016184fffffff3', '!a: \n (field-value)'],
    ['a blank before a Huffman value', `00 0161 82 ${space}`, '!a:  o (field-value)'],
  ])('with %s goes on, and tells it', (_name, block, line) => {
    expect(after([], `${block} 82`)).toEqual([line, ':method: GET']);
  });

  it('takes obs-text and tabs within values', () => {
    expect(after([], unstored('a', 'x\t\xe9y'))).toEqual(['a: x\t\xe9y']);
  });

  it('judges a stored field once and for all', () => {
    const blocks = [stored('A', 'x'), stored('b', '\n')];
    expect(after(blocks, `bf be 7e${plain('ok')} 40${plain('c')}${plain('d')}`)).toEqual([
      '!A: x (field-name)',
      '!b: \n (field-value)',
      'b: ok',
      'c: d',
    ]);
    expect(after(blocks, `7f00${plain('ok')}`)).toEqual(['!A: ok (field-name)']);
  });

  it('shares one string for names that are equal', () => {
    const decoder = new HpackDecoder();
    const names: string[] = [];
    const sink = { onField: (_id: number, name: string) => names.push(name), onInvalidField: () => {} };
    for (const block of [stored('x-team', 'a'), unstored('x-team', 'b'), `7e${plain('c')}`])
      decoder.decode(Buffer.from(block, 'hex'), 0, block.length / 2, sink);
    expect(names).toEqual(['x-team', 'x-team', 'x-team']);
  });
});

describe('the table of a decoder', () => {
  it('counts name, value and 32 octets, and lets the oldest go', () => {
    const decoder = new HpackDecoder();
    // 4096 / (32 + 4 + 60) = 42.67
    for (let i = 10; i < 53; i++) decoded(decoder, stored(`x-${i}`, String(i).repeat(30)));
    expect(decoder.tableBytes).toBe(42 * 96);
    expect(decoded(decoder, 'be')).toEqual([`x-52: ${'52'.repeat(30)}`]);
    // index 62 + 41
    expect(decoded(decoder, 'e7')).toEqual([`x-11: ${'11'.repeat(30)}`]);
    expect(decoded(decoder, 'e8')).toBe('hpack-index');
  });

  it('may be filled to the last octet', () => {
    const decoder = new HpackDecoder();
    decoded(decoder, `3f25${stored('a', '1')}${stored('b', '2')}`);
    expect(decoder.tableBytes).toBe(68);
    expect(decoded(decoder, 'bf be')).toEqual(['a: 1', 'b: 2']);
  });

  it('is emptied by a field larger than itself, which is no error', () => {
    const decoder = new HpackDecoder();
    decoded(decoder, `3f11${stored('a', '1')}`);
    expect(decoder.tableBytes).toBe(34);
    expect(decoded(decoder, stored('b', '1'.repeat(20)))).toEqual([`b: ${'1'.repeat(20)}`]);
    expect(decoder.tableBytes).toBe(0);
    expect(decoded(decoder, 'be')).toBe('hpack-index');
  });

  it('keeps a name by index though its entry leaves for the new field', () => {
    const decoder = new HpackDecoder();
    decoded(decoder, `3f21${stored('x-team', 'blue')}`);
    expect(decoded(decoder, `7e${plain('1'.repeat(20))}`)).toEqual([`x-team: ${'1'.repeat(20)}`]);
    expect(decoded(decoder, 'be')).toEqual([`x-team: ${'1'.repeat(20)}`]);
  });

  it('shrinks and grows by size updates', () => {
    const decoder = new HpackDecoder();
    decoded(decoder, stored('a', '1') + stored('b', '2'));
    expect(decoded(decoder, '3f05 be')).toEqual(['b: 2']);
    expect(decoder.tableBytes).toBe(34);
    expect(decoded(decoder, '20 3fe11f')).toEqual([]);
    expect(decoder.tableBytes).toBe(0);
    decoded(decoder, stored('a', '1') + stored('b', '2'));
    expect(decoder.tableBytes).toBe(68);
  });

  it('may be as large as our setting once the peer knows it', () => {
    const decoder = new HpackDecoder(8192);
    expect(decoded(decoder, '3fe13f')).toEqual([]);
    decoder.acknowledged();
    expect(decoded(decoder, '3fe13f')).toEqual([]);
    expect(decoded(decoder, '3fe23f')).toBe('hpack-size-update');
  });

  it('must be made smaller when our setting is, in the first block after the acknowledgement', () => {
    const before = new HpackDecoder(128);
    expect(decoded(before, stored('a', '1'))).toEqual(['a: 1']);
    before.acknowledged();
    expect(decoded(before, '3f61 be')).toEqual(['a: 1']);
    expect(decoded(before, 'be')).toEqual(['a: 1']);
    expect(decoded(before, '3f62')).toBe('hpack-size-update');
    for (const block of ['82', 'be', stored('a', '1'), '3f62 82']) {
      const decoder = new HpackDecoder(128);
      decoded(decoder, stored('a', '1'));
      decoder.acknowledged();
      expect(decoded(decoder, block)).toBe(
        block.startsWith('3f') ? 'hpack-size-update' : 'hpack-size-update-missing',
      );
    }
  });

  it('asks for no update when the peer had a smaller table already', () => {
    const decoder = new HpackDecoder(128);
    decoded(decoder, '3f21 82');
    decoder.acknowledged();
    expect(decoded(decoder, '82')).toEqual([':method: GET']);
  });

  it('can be none at all', () => {
    const decoder = new HpackDecoder(0);
    decoder.acknowledged();
    expect(decoded(decoder, `20 ${stored('a', '1')}`)).toEqual(['a: 1']);
    expect(decoder.tableBytes).toBe(0);
    expect(decoded(decoder, '21')).toBe('hpack-size-update');
  });
});
