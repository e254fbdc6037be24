import { describe, expect, it } from 'vitest';
import { testIo, type TestIo } from '../../tests/test-io.ts';
import { CliError, EXIT } from './exit-codes.ts';
import type { View } from './output.ts';
import { showView, type ListOptions } from './show-view.ts';

interface Row {
  readonly name: string;
  readonly size?: number;
  readonly labels?: Readonly<Record<string, string>>;
}
const viewOf = (rows: readonly Row[]): View<Row> => ({
  rows,
  document: (shown: readonly Row[]) => ({ items: shown }),
  columns: [
    { header: 'NAME', value: (r) => r.name },
    { header: 'SIZE KB', value: (r) => r.size },
  ],
  name: (r) => `row/${r.name}`,
  labels: (r) => r.labels,
});
const ROWS: readonly Row[] = [
  { name: 'web-10', size: 9, labels: { v: '1' } },
  { name: 'web-9', size: 10, labels: { v: '2' } },
  { name: 'web-1', labels: { v: '2' } },
];
const options = (given: Partial<ListOptions> = {}): ListOptions => ({
  watch: false,
  'no-headers': true,
  ...given,
});
const shown = async (given: Partial<ListOptions>): Promise<string> => {
  const io = testIo();
  await showView(io, options(given), new AbortController().signal, async () => ({ view: viewOf(ROWS) }));
  return io.written.out;
};

describe('a list', () => {
  it.each([
    [{ output: 'name', 'sort-by': 'name' }, 'row/web-1\nrow/web-9\nrow/web-10\n'],
    [{ output: 'name', 'sort-by': 'size-kb' }, 'row/web-10\nrow/web-9\nrow/web-1\n'],
    [{ output: 'name', 'sort-by': '{.labels.v}' }, 'row/web-10\nrow/web-9\nrow/web-1\n'],
    [{ output: 'name', selector: 'v=2', 'sort-by': '.name' }, 'row/web-1\nrow/web-9\n'],
    [{ output: 'jsonpath={.items[*].name}', selector: 'v!=1' }, 'web-9 web-1\n'],
    [{ selector: 'v in (1)' }, 'web-10   9\n'],
  ])('%j', async (given, expected) => {
    expect(await shown(given)).toBe(expected);
  });

  it.each([
    [{ 'sort-by': 'age' }, 'there is no column "age"'],
    [{ 'sort-by': '.a[' }, 'is no JSONPath'],
    [{ selector: 'a b' }, 'is no requirement'],
    [{ output: 'jsonpath={.a' }, 'a brace is not closed'],
  ])('%j is refused', async (given, message) => {
    await expect(shown(given)).rejects.toMatchObject({
      exitCode: 64,
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('a watched list', () => {
  /** Shows one list after another, then interrupts. */
  const watched = async (
    given: Partial<ListOptions>,
    states: readonly (readonly Row[] | CliError)[],
    terminal = false,
  ): Promise<TestIo> => {
    const io = { ...testIo(), outIsTerminal: terminal };
    const abort = new AbortController();
    let at = 0;
    const look = async (): Promise<{ readonly view: View<Row> }> => {
      const state = states[at++];
      if (state === undefined) {
        abort.abort();
        throw new CliError(EXIT.interrupted, 'interrupted');
      }
      if (state instanceof CliError) throw state;
      return { view: viewOf(state) };
    };
    const end = showView(io, options({ watch: true, ...given }), abort.signal, look, 1);
    await expect(end).rejects.toMatchObject({ exitCode: 130 });
    return io;
  };
  const [a, b] = [
    { name: 'a', size: 1 },
    { name: 'b', size: 1 },
  ];

  it('is printed again on a change and not without one, in place in a terminal; a failure is told and does not end it', async () => {
    const gone = new CliError(EXIT.unreachable, 'the control plane is gone');
    const io = await watched({}, [[a], [a], gone, gone, [a, b]]);
    expect(io.written).toEqual({ out: 'a   1\na   1\nb   1\n', err: 'the control plane is gone\n' });
    expect((await watched({}, [[a]], true)).written.out).toBe('\u001b[H\u001b[2Ja   1\n');
  });

  it('is for programs a line of what is new or changed', async () => {
    const io = await watched({ output: 'jsonl' }, [
      [a, b],
      [a, { ...b, size: 2 }],
    ]);
    expect(io.written.out).toBe('{"name":"a","size":1}\n{"name":"b","size":1}\n{"name":"b","size":2}\n');
    expect((await watched({ output: 'name' }, [[a], [a, b]])).written.out).toBe('row/a\nrow/b\n');
  });
});
