import { parseArgs } from 'node:util';
import type { Command, OptionSpec, OptionSpecs } from './command.ts';
import { usageError } from './exit-codes.ts';
import { closest } from './closest.ts';

/** A parsed command line. */
export interface ParsedArgs {
  readonly options: Readonly<Record<string, boolean | string | number | readonly string[] | undefined>>;
  readonly args: readonly string[];
  readonly rest: readonly string[];
  readonly help: boolean;
}

/** Options that every command has. */
export const COMMON_OPTIONS: OptionSpecs = Object.freeze({
  help: { type: 'boolean', short: 'h', help: 'show this help' },
});

/**
 * Reads a command's own arguments.
 * @throws CliError 64 that names the option or argument and, where one is close, what was probably meant
 */
export function parseCommandLine(
  command: Command,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedArgs {
  const specs: OptionSpecs = { ...command.options, ...COMMON_OPTIONS };
  let own = [...argv];
  let rest: string[] = [];
  if (command.rest !== undefined) {
    // The other program's options are none of ours: everything from `--`, or from the first bare word, is its.
    const at = restStart(own, specs, command.rest.optional === true);
    rest = own.slice(own[at] === '--' ? at + 1 : at);
    own = own.slice(0, at);
  }
  const { tokens } = read(own, specs);
  const values: Record<string, boolean | string | number | string[] | undefined> = {};
  const args: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = specs[token.name];
    if (spec === undefined) throw unknownOption(token.rawName, token.name, specs);
    if (spec.type === 'boolean') {
      if (token.value !== undefined)
        throw usageError(`${token.rawName} takes no value`, `write ${token.rawName} alone, or leave it out`);
      values[token.name] = true;
      continue;
    }
    // `--name --port 80`: the next option is no value, unless it was written with `=`.
    if (
      token.value === undefined ||
      token.value === '' ||
      (!token.inlineValue && token.value.startsWith('-') && token.value !== '-')
    ) {
      throw usageError(
        `${token.rawName} needs a value`,
        `${token.rawName} ${spec.value ?? 'VALUE'}: ${spec.help}`,
      );
    }
    if (spec.type === 'list') ((values[token.name] ??= []) as string[]).push(token.value);
    else values[token.name] = checked(token.rawName, spec, token.value);
  }
  const help = values['help'] === true;
  for (const [name, spec] of Object.entries(specs)) {
    const fromEnv = spec.env === undefined ? undefined : env[spec.env];
    if (values[name] === undefined && fromEnv !== undefined && fromEnv !== '') {
      values[name] =
        spec.type === 'boolean'
          ? fromEnv !== '0' && fromEnv !== 'false'
          : spec.type === 'list'
            ? fromEnv.split(',')
            : checked(`${spec.env}`, spec, fromEnv);
    }
    values[name] ??= spec.type === 'boolean' ? false : spec.type === 'list' ? [] : undefined;
    if (!help && spec.required === true && values[name] === undefined) {
      throw usageError(`--${name} is missing`, `--${name} ${spec.value ?? 'VALUE'}: ${spec.help}`);
    }
  }
  if (!help) checkArgs(command, args, rest);
  return { options: values, args, rest, help };
}

function read(
  argv: readonly string[],
  specs: OptionSpecs,
): ReturnType<typeof parseArgs<{ args: string[]; strict: false; tokens: true; allowPositionals: true }>> {
  return parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [
        name,
        {
          type: spec.type === 'boolean' ? ('boolean' as const) : ('string' as const),
          multiple: spec.type === 'list',
          ...(spec.short === undefined ? {} : { short: spec.short }),
        },
      ]),
    ),
  });
}

function restStart(argv: readonly string[], specs: OptionSpecs, onlyMarked: boolean): number {
  for (const token of read(argv, specs).tokens) {
    if ((token.kind === 'positional' && !onlyMarked) || token.kind === 'option-terminator')
      return token.index;
  }
  return argv.length;
}

function unknownOption(rawName: string, name: string, specs: OptionSpecs): Error {
  const guess = closest(name, Object.keys(specs));
  return usageError(
    `unknown option ${rawName}`,
    guess === undefined ? 'see --help for the options' : `did you mean --${guess}?`,
  );
}

/** `json` is one of `json`, and `jsonpath={.a}` of `jsonpath=`. */
const chosen = (choices: readonly string[], value: string): boolean =>
  choices.some((c) => (c.endsWith('=') ? value.length > c.length && value.startsWith(c) : value === c));

function checked(name: string, spec: OptionSpec, value: string): string | number {
  if (spec.choices !== undefined && !chosen(spec.choices, value)) {
    const guess = closest(value, spec.choices);
    throw usageError(
      `${name} cannot be ${JSON.stringify(value)}`,
      `${guess === undefined ? '' : `did you mean ${guess}? `}It is one of ${spec.choices.join(', ')}`,
    );
  }
  if (spec.type !== 'number') return value;
  if (!/^\d+(?:\.\d+)?$/.test(value))
    throw usageError(`${name} must be a number, not ${JSON.stringify(value)}`);
  return Number(value);
}

function checkArgs(command: Command, args: readonly string[], rest: readonly string[]): void {
  const specs = command.args ?? [];
  specs.forEach((spec, i) => {
    const value = args[i];
    if (value === undefined) {
      if (spec.optional !== true) throw usageError(`${spec.name} is missing`, `${spec.name}: ${spec.help}`);
    } else if (spec.choices !== undefined && !spec.choices.includes(value)) {
      const guess = closest(value, spec.choices);
      throw usageError(
        `${spec.name} cannot be ${JSON.stringify(value)}`,
        `${guess === undefined ? '' : `did you mean ${guess}? `}It is one of ${spec.choices.join(', ')}`,
      );
    }
  });
  const last = specs.at(-1);
  if (args.length > specs.length && last?.many !== true) {
    throw usageError(
      `unexpected argument ${JSON.stringify(args[specs.length])}`,
      specs.length === 0 ? 'this command takes none' : `it takes ${specs.map((s) => s.name).join(' ')}`,
    );
  }
  if (command.rest !== undefined && command.rest.optional !== true && rest.length === 0)
    throw usageError(`${command.rest.name} is missing`, command.rest.help);
}
