import { resolve } from 'node:path';
import { packageFaults, readAllowList, type AllowedFilter } from '@tulle/filter-loader';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { allowListOf, FILTERS_FILE, FILTERS_FILE_OPTION } from './filters-file.ts';

/** A row: a filter, and how its package stands. */
interface Listed extends AllowedFilter {
  readonly package: string;
  readonly version: string;
  readonly integrity: string;
  readonly dependencies: Readonly<Record<string, string>>;
  /** Why a proxy would refuse it; empty when it would not. */
  readonly faults: readonly string[];
}

export const command: Command = defineCommand({
  summary: 'Show which filters proxies may load, and whether they are what was allowed',
  details: 'Exit code 79 when a proxy would refuse one.',
  options: { ...FILTERS_FILE_OPTION, ...OUTPUT_OPTION },
  examples: [{ command: 'tulle filters list', does: 'what does tulle-filters.json allow?' }],
  async run({ io, options }) {
    const name = options.file ?? FILTERS_FILE;
    const file = resolve(io.cwd, name);
    const rows = allowListOf(() => readAllowList(file)).packages.flatMap(({ filters, ...allowed }) => {
      const faults = packageFaults(file, { ...allowed, filters });
      return filters.map((filter): Listed => ({ ...filter, ...allowed, faults }));
    });
    await printView(io, (options.output ?? 'table') as Format, {
      rows,
      document: { items: rows },
      name: (one) => one.id,
      columns: [
        { header: 'FILTER', value: (one) => one.id },
        { header: 'KIND', value: (one) => one.kind },
        { header: 'PACKAGE', value: (one) => `${one.package}@${one.version}` },
        { header: 'STATE', value: (one) => (one.faults.length === 0 ? 'ok' : 'refused') },
        { header: 'EXPORT', value: (one) => one.export, wide: true },
        { header: 'INTEGRITY', value: (one) => one.integrity, wide: true },
      ],
      empty: `${name} allows no filter; tulle filters allow PACKAGE adds one`,
    });
    const faults = new Set(rows.flatMap((one) => one.faults));
    for (const fault of faults) io.err(`${fault}\n`);
    return faults.size === 0 ? EXIT.ok : EXIT.findings;
  },
});
