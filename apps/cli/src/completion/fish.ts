import { quoted, type CompletionCommand, type CompletionModel } from './completion-model.ts';

/** Completions for fish 3 and later. */
export function fishCompletion({ words, commands }: CompletionModel): string {
  const first = words.map(
    ({ word, summary }) =>
      `complete -c tulle -f -n __fish_use_subcommand -a ${quoted(word)} -d ${quoted(summary)}`,
  );
  const second = words.flatMap(({ word, second }) =>
    second.map(
      (one) =>
        `complete -c tulle -f -n ${quoted(`__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${second.map((t) => t.word).join(' ')}`)} -a ${quoted(one.word)} -d ${quoted(one.summary)}`,
    ),
  );
  return `# fish completion of tulle: tulle completion fish > ~/.config/fish/completions/tulle.fish
complete -c tulle -e
${[...first, ...second, ...commands.flatMap(linesOf)].join('\n')}
`;
}

function linesOf({ name, options, args }: CompletionCommand): string[] {
  const there = quoted(
    name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and '),
  );
  return [
    ...options.map(({ long, short, help, value }) => {
      const what =
        value === 'none'
          ? ''
          : value === 'file'
            ? ' -r -F'
            : ` -x${typeof value === 'string' ? '' : ` -a ${quoted(value.join(' '))}`}`;
      return `complete -c tulle -n ${there} -l ${long}${short === undefined ? '' : ` -s ${short}`}${what} -d ${quoted(help)}`;
    }),
    ...args
      .filter((choices) => choices.length > 0)
      .map((choices) => `complete -c tulle -f -n ${there} -a ${quoted(choices.join(' '))}`),
  ];
}
