import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  analyze,
  CODES,
  exitCodeOf,
  formatDiagnostic,
  readResources,
  type Diagnostic,
  type SourcePosition,
} from '../src/index.ts';
import { CASES } from './cases.ts';

async function diagnose(yaml: string): Promise<Diagnostic[]> {
  const read = await readResources([{ text: yaml, file: 'f.yaml' }]);
  return [...read.diagnostics, ...analyze(read, { trustDomain: 'mesh.local' })];
}

describe('every fault and finding has its code, its place and a way out', () => {
  it.each(CASES)('$name', async ({ yaml, expect: expected }) => {
    const found = await diagnose(yaml);
    const lines = yaml.split('\n');
    const at = (place: SourcePosition | undefined, length: number): string =>
      lines[(place?.line ?? 1) - 1]?.slice((place?.column ?? 1) - 1).slice(0, length) ?? '';
    const places = found.map((d, i) => [
      d.code,
      d.position?.line,
      at(d.position, expected[i]?.[2].length ?? 10),
    ]);
    expect(places, found.map(formatDiagnostic).join('\n')).toEqual(
      expected.map(([code, line, text]) => [code, line, text]),
    );
    for (const [i, [, , , says]] of expected.entries())
      expect(formatDiagnostic(found[i] as Diagnostic)).toContain(says);
  });

  it('covers the whole table of codes but those of files and owners', () => {
    const covered = new Set(CASES.flatMap((c) => c.expect.map(([code]) => code)));
    expect(Object.keys(CODES).filter((code) => !covered.has(code as keyof typeof CODES))).toEqual([
      'TULLE0106',
      'TULLE0212',
    ]);
  });
});

describe('five faults of one file', () => {
  const faults = readFileSync(new URL('faults.yaml', import.meta.url), 'utf8');
  it('are all told at once, in the order of their places, and exit with 65', async () => {
    const found = await diagnose(faults);
    expect(found.map((d) => `${d.position?.line}:${d.position?.column} ${d.code}`)).toEqual([
      '7:3 TULLE0101',
      '14:3 TULLE0201',
      '23:13 TULLE0202',
      '41:51 TULLE0204',
      '42:51 TULLE0204',
      '32:19 TULLE0302',
      '42:19 TULLE0404',
    ]);
    expect(found.flatMap((d) => d.hint ?? [])).toEqual(
      expect.arrayContaining(['did you mean "selector"?', 'did you mean "reviews-v1"?']),
    );
    expect(exitCodeOf(found)).toBe(65);
  });
  it('findings alone exit with 79, notes with 0, and the threshold moves the line', async () => {
    const findings = (await diagnose(faults)).filter((d) => d.class === 'finding');
    expect(exitCodeOf(findings)).toBe(79);
    expect(
      exitCodeOf(
        findings.filter((d) => d.severity === 'warning'),
        'error',
      ),
    ).toBe(0);
    expect(exitCodeOf([])).toBe(0);
  });
});

describe('the page of codes', () => {
  it('is the table (set UPDATE_PAGES=1 to write it)', () => {
    const page = new URL('../CODES.md', import.meta.url);
    const rows = Object.entries(CODES).map(
      ([code, row]) =>
        `## ${code}\n\n**${row.title}** (${row.class === 'invalid' ? 'invalid, exit 65' : `finding, ${row.severity}`}). ${row.help}\n`,
    );
    const text = `# Codes of resources\n\nWhat \`tulle analyze\`, \`tulle apply\`, the REST API and the file source say of resources. *Invalid*: nothing is applied, exit 65. *Finding*: valid, exit 79 from warning on.\n\n${rows.join('\n')}`;
    if (process.env['UPDATE_PAGES'] === '1') writeFileSync(page, text);
    expect(readFileSync(page, 'utf8')).toBe(text);
  });
});
