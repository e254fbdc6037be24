import { isTulleError } from '@tulle/filter';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteWriter,
  FIELD_HOST,
  FieldTable,
  findName,
  knownNameId,
  LAST_FORBIDDEN_TRAILER,
  nameIdOf,
  nameOf,
} from './index.ts';

/** A table that a parser filled from `lines`, which end with CR LF. */
function parsed(text: string): FieldTable {
  const table = new FieldTable();
  const bytes = Buffer.from(`xx${text}`, 'latin1');
  table.appendBlock(bytes, 2, bytes.length);
  bytes.fill(0);
  let at = 0;
  for (const line of text.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(':');
    const handle = findName(table.block, table.blockView, at, at + colon);
    const value = line.slice(colon + 1);
    const start = at + colon + 1 + (value.length - value.trimStart().length);
    table.push(nameIdOf(handle), nameOf(handle), at, at + colon, start, start + value.trim().length);
    at += line.length + 2;
  }
  return table;
}

const lines = (table: FieldTable): string[] =>
  Array.from({ length: table.length }, (_, i) => `${table.rawName(i)}=${table.value(i)}`);

function written(table: FieldTable, skip?: number): string {
  const out = new ByteWriter(8);
  table.writeLines(out, skip);
  return out.view().toString('latin1');
}

function code(edit: () => void): string {
  try {
    edit();
  } catch (error) {
    return isTulleError(error) ? `${error.code}: ${error.message}` : String(error);
  }
  return 'accepted';
}

describe('a field table', () => {
  it('keeps lines that stand in the block beside lines of their own, through edits, copies and reuse', () => {
    const line = fc.record({
      name: fc.constantFrom('host', 'x-one', 'x-two', 'set-cookie'),
      value: fc.constantFrom('', 'a', 'b c'),
      inBlock: fc.boolean(),
      never: fc.boolean(),
    });
    const table = new FieldTable();
    const reused = new FieldTable();
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), fc.nat(3), fc.boolean(), (given, edit, keep) => {
        if (!keep) reused.reset();
        table.reset();
        const expected: [string, string, boolean][] = [];
        for (const { name, value, inBlock, never } of given) {
          if (inBlock) {
            const at = table.blockLength;
            const bytes = Buffer.from(`${name}: ${value}\r\n`);
            table.appendBlock(bytes, 0, bytes.length);
            const start = at + name.length + 2;
            table.push(knownNameId(name), name, at, at + name.length, start, start + value.length);
          } else table.pushValue(knownNameId(name), name, value, never);
          expected.push([name, value, never && !inBlock]);
        }
        const names = ['x-one', 'x-two', 'set-cookie'];
        const edited = names[edit];
        let now = expected;
        if (edited !== undefined && edit === 0) {
          table.drop(edited);
          now = expected.filter(([name]) => name !== edited);
        } else if (edited !== undefined) {
          table.put(edited, 'new');
          const first = expected.findIndex(([name]) => name === edited);
          now = expected.filter(([name], i) => name !== edited || i === first);
          const at = now.findIndex(([name]) => name === edited);
          if (at < 0) now.push([edited, 'new', false]);
          else now[at] = [edited, 'new', (now[at] as (typeof now)[number])[2]];
        }
        reused.copyFrom(table);
        for (const one of [table, reused]) {
          expect(
            Array.from({ length: one.length }, (_, i) => [one.name(i), one.value(i), one.isNeverIndexed(i)]),
          ).toEqual(now);
          expect(written(one, 0)).toBe(now.map(([name, value]) => `${name}: ${value}\r\n`).join(''));
          expect(Array.from({ length: one.length }, (_, i) => one.id(i))).toEqual(
            now.map(([name]) => knownNameId(name)),
          );
        }
      }),
    );
  });

  const sent = 'Host: a\r\nX-One: 1\r\nx-one:  2 \r\nSet-Cookie: a=b\r\nSET-COOKIE: c=\xe9\r\nEmpty:\r\n';

  it('shows lines in order, names in lower case with the spelling kept, repeats apart', () => {
    const table = parsed(sent);
    expect(lines(table)).toEqual([
      'Host=a',
      'X-One=1',
      'x-one=2',
      'Set-Cookie=a=b',
      'SET-COOKIE=c=\xe9',
      'Empty=',
    ]);
    expect(table.length).toBe(6);
    expect([table.name(4), table.rawName(4), table.value(4), table.id(0)]).toEqual([
      'set-cookie',
      'SET-COOKIE',
      'c=\xe9',
      FIELD_HOST,
    ]);
    expect([table.get('x-one'), table.get('absent'), table.has('empty'), table.has('absent')]).toEqual([
      '1',
      undefined,
      true,
      false,
    ]);
    expect([table.getAll('set-cookie'), table.getAll('absent')]).toEqual([['a=b', 'c=\xe9'], []]);
    const seen: string[] = [];
    table.forEach((name, value) => seen.push(`${name}:${value}`));
    expect(seen.slice(0, 2)).toEqual(['host:a', 'x-one:1']);
    expect([table.indexOfId(FIELD_HOST), table.indexOfId(FIELD_HOST, 1)]).toEqual([0, -1]);
    expect(() => table.value(6)).toThrow(/line 6 does not exist: the table has 6/);
    expect(() => table.name(6)).toThrow(RangeError);
    expect(() => table.rawName(6)).toThrow(RangeError);
  });

  it('writes untouched lines as they came, edited ones anew, and never those of the framing', () => {
    const table = parsed(
      `${sent}Connection: close\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\nTail: t\r\n`,
    );
    expect(written(table)).toBe(
      'X-One: 1\r\nx-one: 2\r\nSet-Cookie: a=b\r\nSET-COOKIE: c=\xe9\r\nEmpty: \r\nTail: t\r\n',
    );
    table.set('set-cookie', 'd');
    table.append('x-new', 'n');
    expect(table.remove('empty')).toBe(1);
    expect(written(table)).toBe('X-One: 1\r\nx-one: 2\r\nSet-Cookie: d\r\nTail: t\r\nx-new: n\r\n');
    expect(written(parsed('Authorization: a\r\nX: y\r\n'), LAST_FORBIDDEN_TRAILER)).toBe('X: y\r\n');
  });

  it('does not change when the bytes it was parsed from do', () => {
    const table = parsed('A: one\r\n');
    expect(table.get('a')).toBe('one');
  });

  it('copies without sharing', () => {
    const table = parsed(sent);
    table.set('x-set', '1');
    const copy = new FieldTable();
    copy.add('gone', 'x');
    copy.copyFrom(table);
    table.set('x-set', '2');
    table.remove('empty');
    table.reset();
    expect(lines(copy)).toEqual([
      'Host=a',
      'X-One=1',
      'x-one=2',
      'Set-Cookie=a=b',
      'SET-COOKIE=c=\xe9',
      'Empty=',
      'x-set=1',
    ]);
    expect(written(copy).endsWith('Empty: \r\nx-set: 1\r\n')).toBe(true);
  });

  it('is empty after reset, and shows nothing of the message before', () => {
    const table = parsed(sent);
    lines(table);
    table.reset();
    expect([table.length, table.get('x-one'), table.blockLength, written(table)]).toEqual([
      0,
      undefined,
      0,
      '',
    ]);
    const bytes = Buffer.from('B: 2\r\n');
    table.appendBlock(bytes, 0, bytes.length);
    table.push(0, 'b', 0, 1, 3, 4);
    expect(lines(table)).toEqual(['B=2']);
  });

  it('lets go of the storage of a large head, and reads values of large heads one by one', () => {
    const table = parsed(`A: ${'x'.repeat(20_000)}\r\nB: 1\r\n`);
    expect([table.get('b'), table.get('a')?.length]).toEqual(['1', 20_000]);
    table.reset();
    expect(table.block.length).toBe(0);
  });

  it('removes ranges of known names', () => {
    const table = parsed(`${sent}Connection: close\r\nTE: x\r\nTail: t\r\n`);
    expect(table.dropIds(2, 9)).toBe(2);
    expect(lines(table).at(-1)).toBe('Tail=t');
    expect(table.has('host')).toBe(true);
  });
});

describe('edits', () => {
  it('refuse what is no field, saying which char stands where', () => {
    const table = new FieldTable();
    expect(code(() => table.set('', 'x'))).toMatch(/TULLE_HEADER_INVALID: A field name is empty/);
    expect(code(() => table.set('X-Up', 'x'))).toMatch(/"X-Up" has U\+0058 at position 0/);
    for (const name of ['a b', 'a:', 'a\r', 'a\0', 'é', 'ā', 'a/b'])
      expect(
        code(() => table.append(name, 'x')),
        name,
      ).toMatch(/^TULLE_HEADER_INVALID/);
    expect(code(() => table.set('x', 'ab\r\nc: d'))).toMatch(/"x" has U\+000D at position 2/);
    for (const value of ['\n', '\0', '\x01', '\x7f', 'ā', '\u2028'])
      expect(
        code(() => table.append('x', value)),
        value,
      ).toMatch(/^TULLE_HEADER_INVALID/);
    expect(table.length).toBe(0);
    table.set('x', '\t a \xff\tb ');
    expect(table.get('x')).toBe('a \xff\tb');
  });

  it('refuse framing and Host to filters, not to the engine', () => {
    const table = new FieldTable();
    for (const name of [
      'content-length',
      'transfer-encoding',
      'connection',
      'upgrade',
      'te',
      'trailer',
      'keep-alive',
    ]) {
      expect(
        code(() => table.set(name, '1')),
        name,
      ).toMatch(/belongs to the framing/);
      expect(
        code(() => table.append(name, '1')),
        name,
      ).toMatch(/belongs to the framing/);
      expect(
        code(() => table.remove(name)),
        name,
      ).toMatch(/belongs to the framing/);
    }
    expect(code(() => table.set('host', 'a'))).toMatch(/assign stream.request.authority/);
    table.put('host', 'a');
    table.add('te', 'trailers');
    expect([table.drop('te'), table.drop('te'), table.get('host')]).toEqual([1, 0, 'a']);
    expect(code(() => table.put('host', 'a\n'))).toMatch(/^TULLE_HEADER_INVALID/);
  });

  it('end somewhere, when a filter appends in a loop', () => {
    const table = new FieldTable();
    for (let i = 0; i < 1024; i++) table.append('x', '');
    expect(code(() => table.append('x', ''))).toMatch(/1024/);
    expect(table.length).toBe(1024);
  });

  it('takes ready values from a parser, and remembers which may never be indexed', () => {
    const table = parsed('Host: a\r\n');
    table.pushValue(0, 'x-team', 'blue');
    table.pushValue(0, 'x-secret', 's3', true);
    const copy = new FieldTable();
    copy.copyFrom(table);
    copy.drop('x-team');
    expect(written(copy, 0)).toBe('Host: a\r\nx-secret: s3\r\n');
    expect([0, 1, 2].map((i) => copy.isNeverIndexed(i))).toEqual([false, true, false]);
    copy.reset();
    copy.pushValue(0, 'x-a', '1');
    copy.pushValue(0, 'x-b', '2');
    expect(copy.isNeverIndexed(1)).toBe(false);
  });

  it('keeps for each of many lines whether it may be indexed, through removals and growth', () => {
    const table = new FieldTable();
    const never = (i: number): boolean => i % 3 === 1 || i === 7;
    for (let i = 0; i < 21; i++) table.pushValue(i + 1, `x-${i}`, '', never(i));
    for (const i of [2, 3, 11]) table.drop(`x-${i}`);
    const kept = Array.from({ length: 21 }, (_, i) => i).filter((i) => ![2, 3, 11].includes(i));
    expect(kept.map((_, at) => [table.id(at), table.isNeverIndexed(at)])).toEqual(
      kept.map((i) => [i + 1, never(i)]),
    );
  });

  it('behave like a list of pairs', () => {
    const name = fc.constantFrom('a', 'b', 'accept', 'x-request-id', 'host', 'content-length', 'c');
    const op = fc.tuple(fc.constantFrom('put', 'add', 'drop'), name, fc.stringMatching(/^[!-~]{0,6}$/));
    const start = fc.array(
      fc.tuple(
        fc.constantFrom('A', 'a', 'Accept', 'b', 'Host', 'X-Long-Name-Of-More-Than-Forty-Characters-In-All'),
        fc.constantFrom('', '1', 'two', ' three '),
      ),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(start, fc.array(op, { maxLength: 20 }), (initial, ops) => {
        const table = parsed(initial.map(([it, value]) => `${it}:${value}\r\n`).join(''));
        let model = initial.map(([it, value]): [string, string] => [it.toLowerCase(), value.trim()]);
        for (const [kind, it, value] of ops) {
          const removed = model.filter(([other]) => other === it).length;
          if (kind === 'drop') {
            expect(table.drop(it)).toBe(removed);
            model = model.filter(([other]) => other !== it);
          } else if (kind === 'add' || removed === 0) {
            if (kind === 'add') table.add(it, value);
            else table.put(it, value);
            model.push([it, value]);
          } else {
            table.put(it, value);
            const first = model.findIndex(([other]) => other === it);
            model = model.flatMap((pair, index) =>
              pair[0] !== it ? [pair] : index === first ? [[it, value] as [string, string]] : [],
            );
          }
        }
        expect(lines(table).map((line) => line.toLowerCase())).toEqual(
          model.map(([it, value]) => `${it}=${value}`.toLowerCase()),
        );
        expect(model.map((_, i) => table.id(i))).toEqual(model.map(([it]) => knownNameId(it)));
        const copy = new FieldTable();
        copy.copyFrom(table);
        expect(model.map((_, i) => copy.id(i))).toEqual(model.map(([it]) => knownNameId(it)));
        for (const [it] of model)
          expect(table.getAll(it)).toEqual(model.filter(([other]) => other === it).map(([, value]) => value));
        expect(written(table).toLowerCase()).toBe(
          model
            .filter(([it]) => it !== 'host' && it !== 'content-length')
            .map(([it, value]) => `${it}: ${value}\r\n`.toLowerCase())
            .join(''),
        );
      }),
      { numRuns: 300 },
    );
  });
});
