import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { allowPackage, readAllowList, writeAllowList, type AllowedPackage } from '@tulle/filter-loader';
import { isTulleError } from '@tulle/filter';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import { allowListOf, FILTERS_FILE, FILTERS_FILE_OPTION } from './filters-file.ts';

export const command: Command = defineCommand({
  summary: 'Let proxies load the filters of an npm package, as it is installed now',
  details:
    'Writes its version, and the integrity of what is installed of it and of all that it depends on, into the allow-list;\n' +
    'a proxy that is given the list refuses anything else. Loads the package to see which filters it exports.\n' +
    'A filter that is allowed runs in the proxy, with all that the proxy may do: look at it first.',
  args: [{ name: 'PACKAGE', help: 'name of the package; again after each update of it', many: true }],
  options: {
    ...FILTERS_FILE_OPTION,
    export: {
      type: 'list',
      value: 'NAME',
      help: 'export that is a filter; may be repeated; default: every one that is',
    },
  },
  examples: [
    {
      command: 'npm install tulle-filter-teapot && tulle filters allow tulle-filter-teapot',
      does: 'allow it',
    },
    { command: 'tulle run --name web --filters tulle-filters.json -- node server.js', does: 'use it' },
  ],
  async run({ io, options, args }) {
    if (options.export.length > 0 && args.length > 1)
      throw usageError('--export belongs to one package', 'allow the packages one by one');
    const name = options.file ?? FILTERS_FILE;
    const file = resolve(io.cwd, name);
    const before = existsSync(file) ? allowListOf(() => readAllowList(file)).packages : [];
    const allowed: AllowedPackage[] = [];
    try {
      for (const one of args) allowed.push(await allowPackage(file, one, options.export));
    } catch (error) {
      if (isTulleError(error)) throw new CliError(EXIT.invalid, error.message, undefined, { cause: error });
      throw error;
    }
    const kept = before.filter((one) => !args.includes(one.package));
    try {
      writeAllowList(file, { packages: [...kept, ...allowed] });
    } catch (error) {
      throw new CliError(EXIT.failed, `cannot write ${name}: ${(error as Error).message}`, undefined, {
        cause: error,
      });
    }
    for (const one of allowed) {
      const others = Object.keys(one.dependencies);
      for (const { id, kind } of one.filters) io.out(`${id} (${kind}) of ${one.package}@${one.version}\n`);
      if (others.length > 0) io.err(`with what it depends on: ${others.join(', ')}\n`);
    }
    io.err(`allowed in ${name}; proxies that were started with it take it when they start again\n`);
    return EXIT.ok;
  },
});
