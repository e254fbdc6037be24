import { COMMANDS, COMMON_OPTIONS, type Command, type OptionSpecs } from 'tulle';
import { anchor, code, page, table } from './markdown.ts';

/** `docs/reference/tulle.md`: the command, each verb as its `--help` shows it. */
export async function commandPage(): Promise<string> {
  const commands = await Promise.all(
    COMMANDS.map(async (entry) => ({ name: entry.name, command: await entry.load() })),
  );
  return page(
    'The command tulle',
    "the commands' own definitions, as `tulle COMMAND --help` shows them",
    `Data goes to standard output, everything else to standard error. Exit codes, the same in every output format: 0 ok, 1 failed, 64
usage, 65 invalid input, 69 unreachable, 79 findings, 130 interrupted.`,
    table(
      ['command', 'does'],
      COMMANDS.map(({ name, summary }) => [`[tulle ${name}](#${anchor(`tulle ${name}`)})`, summary]),
    ),
    'Every command also takes:',
    optionRows(COMMON_OPTIONS),
    ...commands.map(({ name, command }) => section(name, command)),
  );
}

function section(name: string, command: Command): string {
  const { args = [], rest, details, options, examples } = command;
  const usage = [
    'tulle',
    name,
    '[options]',
    ...args.map((arg) => (arg.optional ? `[${arg.name}]` : arg.name) + (arg.many ? '…' : '')),
    ...(rest === undefined ? [] : ['--', rest.name]),
  ].join(' ');
  const argRows = [
    ...args.map((arg) => [
      code(arg.name),
      arg.help + (arg.choices === undefined ? '' : ` (${arg.choices.join(', ')})`),
    ]),
    ...(rest === undefined ? [] : [[code(rest.name), rest.help]]),
  ];
  return [
    `## tulle ${name}`,
    `${command.summary}.`,
    `\`\`\`text\n${usage}\n\`\`\``,
    ...(details === undefined ? [] : [details]),
    ...(argRows.length === 0 ? [] : [table(['argument', 'meaning'], argRows)]),
    ...(Object.keys(options).length === 0 ? [] : [optionRows(options)]),
    `\`\`\`sh\n${examples.map((example) => `${example.command}   # ${example.does}`).join('\n')}\n\`\`\``,
  ].join('\n\n');
}

function optionRows(options: OptionSpecs): string {
  return table(
    ['option', 'meaning', 'default', 'environment'],
    Object.entries(options).map(([long, spec]) => [
      [
        ...(spec.short === undefined ? [] : [code(`-${spec.short}`)]),
        code(`--${long}${spec.type === 'boolean' ? '' : ` ${spec.value ?? 'VALUE'}`}`),
      ].join(', '),
      [
        spec.help,
        ...(spec.choices === undefined ? [] : [`one of ${spec.choices.join(', ')}`]),
        ...(spec.type === 'list' ? ['may be repeated'] : []),
      ]
        .filter((text, i, all) => i === 0 || !all[0]?.includes(text))
        .join('; '),
      spec.required ? '(required)' : (spec.defaultText ?? ''),
      spec.env === undefined ? '' : code(spec.env),
    ]),
  );
}
