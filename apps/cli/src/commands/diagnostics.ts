import { exitCodeOf, formatDiagnostic, type Diagnostic, type Severity } from '@tulle/resources';
import type { Io } from '../cli/io.ts';
import { paint } from '../cli/io.ts';
import { printView, type Format } from '../cli/output.ts';

/** What `-o json` and `-o yaml` print: one document, also when there is nothing to say. */
export interface DiagnosticReport {
  readonly ok: boolean;
  readonly exitCode: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Prints diagnostics and says how to end: the same code in every format. */
export async function printDiagnostics(
  io: Io,
  format: Format,
  diagnostics: readonly Diagnostic[],
  threshold: Severity = 'warning',
): Promise<number> {
  const exitCode = exitCodeOf(diagnostics, threshold);
  if (format === 'table' || format === 'wide') {
    const p = paint(io, 'out');
    for (const d of diagnostics) {
      const line = formatDiagnostic(d);
      io.out(
        `${d.severity === 'error' ? p.red(line) : d.severity === 'warning' ? p.yellow(line) : line}\n${format === 'wide' ? `  see ${d.docs}\n` : ''}`,
      );
    }
    io.err(`${summary(diagnostics)}\n`);
    return exitCode;
  }
  const document: DiagnosticReport = { ok: exitCode === 0, exitCode, diagnostics };
  await printView<Diagnostic>(io, format, { rows: diagnostics, columns: [], document, name: (d) => d.code });
  return exitCode;
}

function summary(diagnostics: readonly Diagnostic[]): string {
  if (diagnostics.length === 0) return 'No issues found.';
  const count = (what: string, n: number): string[] => (n === 0 ? [] : [`${n} ${what}${n === 1 ? '' : 's'}`]);
  return `${[
    ...count('error', diagnostics.filter((d) => d.severity === 'error').length),
    ...count('warning', diagnostics.filter((d) => d.severity === 'warning').length),
    ...count('note', diagnostics.filter((d) => d.severity === 'info').length),
  ].join(', ')}. \`-o wide\` adds where each code is explained.`;
}
