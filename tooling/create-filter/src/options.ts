import { parseArgs } from 'node:util';
import { filterNames, type FilterNames } from './names.ts';

/** Kinds of filters. */
export const KINDS = ['http', 'connection'] as const;
/** Phases of an HTTP filter, in the order in which they run; a connection filter has none to choose. */
export const PHASES = ['cors', 'authn', 'authz', 'limit', 'fault', 'custom', 'transform'] as const;

export type Kind = (typeof KINDS)[number];
export type Phase = (typeof PHASES)[number];

/** What to create. */
export interface CreateOptions {
  readonly names: FilterNames;
  readonly kind: Kind;
  readonly phase: Phase;
  /** As given, relative to the working directory. */
  readonly directory: string;
}

/** What the command line says; what is undefined may be asked. */
export interface GivenOptions {
  readonly name: string | undefined;
  readonly kind: string | undefined;
  readonly phase: string | undefined;
  readonly directory: string | undefined;
  readonly yes: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

export const USAGE: string = `Usage: npm create tulle-filter [NAME] -- [options]

Writes a filter for Tulle as an npm package of your own: source, tests, documentation, ready to publish.

  NAME               of the package; brew-tea becomes tulle-filter-brew-tea
  --kind KIND        ${KINDS.join(' or ')}; default http
  --phase PHASE      where in a chain: ${PHASES.join(', ')}; default custom
                     (a connection filter runs before all of them)
  --directory DIR    where to; default the name of the package, which must not exist or be empty
  -y, --yes          ask nothing; so does CI, and wherever there is no terminal
  -h, --help
  --version
`;

/** A mistake on the command line; the message is for the person. */
export class UsageError extends Error {}

/** @throws UsageError naming the argument */
export function readArguments(args: readonly string[]): GivenOptions {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        kind: { type: 'string' },
        phase: { type: 'string' },
        directory: { type: 'string' },
        yes: { type: 'boolean', short: 'y' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    });
    const [first, ...more] = positionals;
    if (more.length > 0)
      throw new UsageError(`one name, not ${positionals.length}: ${positionals.join(' ')}`);
    if (first !== undefined && values.name !== undefined)
      throw new UsageError(`the name is given twice: ${first} and --name ${values.name}`);
    return {
      name: values.name ?? first,
      kind: values.kind,
      phase: values.phase,
      directory: values.directory,
      yes: values.yes ?? false,
      help: values.help ?? false,
      version: values.version ?? false,
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Checks and completes. @throws UsageError with what would be right */
export function completeOptions(given: GivenOptions): CreateOptions {
  if (given.name === undefined)
    throw new UsageError('the name is missing; for example: npm create tulle-filter brew-tea');
  const names = filterNames(given.name);
  if (typeof names === 'string') throw new UsageError(names);
  const kind = oneOf('kind', given.kind ?? 'http', KINDS);
  if (kind === 'connection' && given.phase !== undefined)
    throw new UsageError('a connection filter has no phase to choose; leave --phase out');
  return {
    names,
    kind,
    phase: oneOf('phase', given.phase ?? 'custom', PHASES),
    directory: given.directory ?? (names.packageName.split('/').at(-1) as string),
  };
}

function oneOf<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined)
    throw new UsageError(`--${option} ${JSON.stringify(value)} must be one of ${choices.join(', ')}`);
  return found;
}
