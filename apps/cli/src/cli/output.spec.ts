import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { testIo } from '../../tests/test-io.ts';
import { ageText, FORMATS, printView, type Format, type View } from './output.ts';

interface Row {
  readonly name: string;
  readonly note?: string;
}
const view: View<Row> = {
  rows: [{ name: 'long-name', note: 'a\u001b[2Jb\nc' }, { name: 'b' }],
  columns: [
    { header: 'NAME', value: (r) => r.name },
    { header: 'MORE', value: () => 1, wide: true },
    { header: 'NOTE', value: (r) => r.note },
  ],
  name: (r) => `row/${r.name}`,
};
const printed = async (format: Format, noHeaders = false): Promise<string> => {
  const io = testIo();
  await printView(io, format, view, noHeaders);
  return io.written.out;
};

it('prints a table with - for nothing, and no control character of anybody', async () => {
  expect(await printed('table')).toBe('NAME        NOTE\nlong-name   a [2Jb c\nb           -\n');
  expect(await printed('wide', true)).toBe('long-name   1   a [2Jb c\nb           1   -\n');
});

it('prints the same data in every format for programs', async () => {
  expect(JSON.parse(await printed('json'))).toEqual(view.rows);
  expect(parse(await printed('yaml'))).toEqual(view.rows);
  expect(
    (await printed('jsonl'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(view.rows);
  expect(await printed('name')).toBe('row/long-name\nrow/b\n');
  expect(await printed('jsonpath={[*].name}')).toBe('long-name b\n');
  expect(FORMATS).toHaveLength(7);
});

it('says on standard error that there is nothing, and nothing on standard output', async () => {
  const io = testIo();
  await printView(io, 'table', { ...view, rows: [], empty: 'None.' });
  expect(io.written).toEqual({ out: '', err: 'None.\n' });
});

it('tells ages as kubectl does', () => {
  expect([0, 119, 120, 7200, 172_800].map((s) => ageText(0, s * 1000))).toEqual([
    '0s',
    '119s',
    '2m',
    '2h',
    '2d',
  ]);
});
