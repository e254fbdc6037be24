import { parseArgs } from 'node:util';
import { FlagError } from './flag-error.ts';
import type { FlagSpec, FlagValues } from './flag-specs.ts';

/**
 * Reads a command line that has flags alone.
 * @throws FlagError that names the flag
 */
export function readFlags<const S extends Readonly<Record<string, FlagSpec>>>(
  specs: S,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FlagValues<S> {
  let given: Readonly<Record<string, unknown>>;
  try {
    given = parseArgs({
      args: [...argv],
      options: Object.fromEntries(
        Object.entries<FlagSpec>(specs).map(([name, { type, short }]) => [
          name,
          {
            type: type === 'boolean' ? ('boolean' as const) : ('string' as const),
            multiple: type === 'list',
            ...(short === undefined ? {} : { short }),
          },
        ]),
      ),
    }).values;
  } catch (error) {
    throw new FlagError(error instanceof Error ? error.message : String(error));
  }
  return Object.fromEntries(
    Object.entries<FlagSpec>(specs).map(([name, spec]) => [
      name,
      valueOf(name, spec, given[name], spec.env === undefined ? undefined : env[spec.env]),
    ]),
  ) as FlagValues<S>;
}

function valueOf(name: string, spec: FlagSpec, given: unknown, variable: string | undefined): unknown {
  const fromEnv = variable === '' ? undefined : variable;
  switch (spec.type) {
    case 'boolean':
      return given ?? (fromEnv !== undefined && fromEnv !== '0' && fromEnv !== 'false');
    case 'list':
      return given ?? fromEnv?.split(',') ?? [];
    case 'number':
    case 'string': {
      const value = (given ?? fromEnv) as string | undefined;
      if (value === undefined) {
        if (spec.required === true) throw new FlagError(`--${name} is missing`, spec.help);
        return undefined;
      }
      if (spec.choices !== undefined && !spec.choices.includes(value))
        throw new FlagError(
          `--${name} cannot be ${JSON.stringify(value)}`,
          `it is one of ${spec.choices.join(', ')}`,
        );
      if (spec.type === 'string') return value;
      if (!/^\d+(?:\.\d+)?$/.test(value))
        throw new FlagError(`--${name} must be a number, not ${JSON.stringify(value)}`);
      return Number(value);
    }
  }
}

/** A line or more a flag, for `--help`. */
export function flagsHelp(specs: Readonly<Record<string, FlagSpec>>): string {
  return Object.entries(specs)
    .map(([name, spec]) => {
      const left = `  ${spec.short === undefined ? '    ' : `-${spec.short}, `}--${name}${spec.type === 'boolean' ? '' : ` ${spec.value ?? 'VALUE'}`}`;
      const right = [
        spec.help,
        ...(spec.defaultText === undefined ? [] : [`default ${spec.defaultText}`]),
        ...(spec.env === undefined ? [] : [`or ${spec.env}`]),
        ...(spec.required === true ? ['required'] : []),
      ].join('; ');
      const wide = left.length > 32;
      return `${wide ? `${left}\n${' '.repeat(34)}` : left.padEnd(34)}${wrap(right, 84)}`;
    })
    .join('\n');
}

function wrap(text: string, width: number): string {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join(`\n${' '.repeat(34)}`);
}
