import { FINDINGS, type Result } from './verdict.ts';

const failed = (result: Result): boolean => result.faults.length > 0;

/** A row per kind and group, the totals, and what went wrong. */
export function renderTable(results: readonly Result[]): string {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const key = `${result.kind} ${result.side === 'policy' ? 'under policy' : `${result.side}s`}: ${result.group.startsWith('control ') ? 'controls anywhere' : result.group}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  const columns = ['payloads', 'sends', 'passed', ...FINDINGS];
  const rows = [...groups].map(([name, list]): [string, ...(string | number)[]] => [
    name,
    list.length,
    sum(list, ({ runs }) => runs),
    list.filter((it) => !failed(it)).length,
    ...FINDINGS.map((finding) =>
      sum(list, ({ faults }) => faults.filter((fault) => fault.finding === finding).length),
    ),
  ]);
  const total: [string, ...(string | number)[]] = [
    'total',
    ...columns.map((_, index) => sum(rows, (row) => Number(row[index + 1]))),
  ];
  const width = Math.max(...rows.map(([name]) => name.length), 5);
  const line = ([name, ...cells]: readonly [string, ...(string | number)[]]): string =>
    `${name.padEnd(width)}  ${cells.map((cell, index) => String(cell === 0 && index > 2 ? '·' : cell).padStart((columns[index] as string).length)).join('  ')}`;
  return [line(['', ...columns]), ...rows.map(line), line(total)].join('\n');
}

export function renderFaults(results: readonly Result[], most = 60): string {
  const bad = results.filter(failed);
  const lines = bad
    .slice(0, most)
    .flatMap(({ id, group, shown, faults }) => [
      `${id} (${group}) ${shown.slice(0, 200)}`,
      ...[...new Set(faults.map(({ finding, what }) => `    ${finding}: ${what}`))].slice(0, 4),
    ]);
  if (bad.length > most) lines.push(`… and ${bad.length - most} more payloads`);
  return lines.join('\n');
}

/** Totals by what is promised. */
export function summary(results: readonly Result[]): Record<string, number> {
  const hostile = results.filter(({ kind }) => kind === 'hostile');
  const odd = results.filter(({ kind }) => kind === 'odd');
  return {
    hostilePayloads: hostile.length,
    hostileRefused: hostile.filter((it) => !failed(it)).length,
    oddPayloads: odd.length,
    oddPassed: odd.filter((it) => !failed(it)).length,
    sends: sum(results, ({ runs }) => runs),
    ...Object.fromEntries(
      FINDINGS.map((finding) => [
        finding,
        sum(results, ({ faults }) => faults.filter((fault) => fault.finding === finding).length),
      ]),
    ),
  };
}

function sum<T>(list: readonly T[], of: (it: T) => number): number {
  return list.reduce((total, it) => total + of(it), 0);
}
