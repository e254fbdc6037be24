import type { Io } from './io.ts';

/** One option. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean' | 'number' | 'list';
  readonly short?: string;
  /** Placeholder of its value, upper case. */
  readonly value?: string;
  readonly help: string;
  /** Shown in the help; the command itself applies it. */
  readonly defaultText?: string;
  /** Environment variable that stands in for it. */
  readonly env?: string;
  /** What it may be; `name=` stands for that with a value after it. */
  readonly choices?: readonly string[];
  readonly required?: boolean;
}

/** Options by long name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S['type'] extends 'boolean'
  ? boolean
  : S['type'] extends 'list'
    ? readonly string[]
    : | (S['type'] extends 'number' ? number : string)
      | (S extends { readonly required: true } ? never : undefined);

/** Parsed values, by long name. */
export type OptionValues<S extends OptionSpecs> = { readonly [K in keyof S]: ValueOf<S[K]> };

/** What a command is run with. */
export interface Invocation<S extends OptionSpecs = OptionSpecs> {
  readonly io: Io;
  readonly options: OptionValues<S>;
  readonly args: readonly string[];
  /** What came after `--`, or from the first argument on for a command that runs another. */
  readonly rest: readonly string[];
  /** Aborted by SIGINT or SIGTERM; a command that handles signals itself sets `ownSignals`. */
  readonly signal: AbortSignal;
  /** Every command there is. */
  readonly commands: readonly CommandEntry[];
}

/** A positional argument. */
export interface ArgSpec {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  readonly many?: boolean;
  readonly choices?: readonly string[];
}

/** A command as the help shows it and the parser takes it. */
export interface Command<S extends OptionSpecs = OptionSpecs> {
  readonly summary: string;
  /** Further paragraphs. */
  readonly details?: string;
  readonly args?: readonly ArgSpec[];
  /** Takes another program's command line after its own options. */
  readonly rest?: {
    readonly name: string;
    readonly help: string;
    /** It may be left out; then it begins only after `--`. */
    readonly optional?: boolean;
  };
  readonly options: S;
  readonly examples: readonly { readonly command: string; readonly does: string }[];
  readonly ownSignals?: boolean;
  /** @returns the exit code */
  run(invocation: Invocation<S>): Promise<number>;
}

/** A command, loaded when it is used. */
export interface CommandEntry {
  /** Words after `tulle`, e.g. `token create`. */
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

/** Types a command's options from their specs. */
export function defineCommand<const S extends OptionSpecs>(command: Command<S>): Command {
  return command;
}
