import type { CommandEntry, OptionSpec } from '../cli/command.ts';
import { COMMON_OPTIONS } from '../cli/parse.ts';

/** What may come after `tulle`. */
export interface CompletionModel {
  /** Words in first place, a group such as `token` once. */
  readonly words: readonly CompletionWord[];
  readonly commands: readonly CompletionCommand[];
}

export interface CompletionWord {
  readonly word: string;
  readonly summary: string;
  /** Second words of a group; empty for a command. */
  readonly second: readonly CompletionWord[];
}

export interface CompletionCommand {
  /** `token create`. */
  readonly name: string;
  readonly options: readonly CompletionOption[];
  /** By position, what an argument may be; empty where anything may. */
  readonly args: readonly (readonly string[])[];
  /** Whether another program's command line follows. */
  readonly rest: boolean;
}

export interface CompletionOption {
  readonly long: string;
  readonly short: string | undefined;
  readonly help: string;
  readonly value: 'none' | 'any' | 'file' | readonly string[];
}

/** Loads every command, to know its options. */
export async function completionModel(entries: readonly CommandEntry[]): Promise<CompletionModel> {
  const words: { word: string; summary: string; second: CompletionWord[] }[] = [];
  for (const { name, summary } of entries) {
    const [first = '', second] = name.split(' ');
    let word = words.find((one) => one.word === first);
    if (word === undefined)
      words.push((word = { word: first, summary: second === undefined ? summary : '', second: [] }));
    if (second !== undefined) word.second.push({ word: second, summary, second: [] });
  }
  for (const word of words)
    if (word.second.length > 0) word.summary = word.second.map((one) => one.word).join(', ');
  const commands = await Promise.all(
    entries.map(async ({ name, load }): Promise<CompletionCommand> => {
      const command = await load();
      return {
        name,
        options: Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(([long, spec]) => ({
          long,
          short: spec.short,
          help: spec.help,
          value: valueOf(spec),
        })),
        args: (command.args ?? []).map(({ choices = [] }) => choices),
        rest: command.rest !== undefined,
      };
    }),
  );
  return { words, commands };
}

function valueOf({ type, choices, value }: OptionSpec): CompletionOption['value'] {
  if (type === 'boolean') return 'none';
  if (choices !== undefined) return choices;
  return value === 'FILE' || value === 'DIR' ? 'file' : 'any';
}

/** A word in single quotes, as every shell takes it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
