import type { Command, CommandEntry } from './command.ts';
import type { Paint } from './io.ts';
import { COMMON_OPTIONS } from './parse.ts';

/** Help of one command. */
export function commandHelp(name: string, command: Command, p: Paint): string {
  const args = (command.args ?? []).map(
    (a) => (a.optional === true ? `[${a.name}]` : a.name) + (a.many === true ? '…' : ''),
  );
  const rest = command.rest === undefined ? [] : ['--', command.rest.name];
  const lines = [
    command.summary,
    '',
    p.bold('Usage'),
    `  tulle ${[name, '[options]', ...args, ...rest].join(' ')}`,
  ];
  if (command.details !== undefined) lines.push('', command.details);
  const argRows = [
    ...(command.args ?? []).map((a): [string, string] => [
      a.name,
      a.help + (a.choices === undefined ? '' : ` (${a.choices.join(', ')})`),
    ]),
    ...(command.rest === undefined ? [] : [[command.rest.name, command.rest.help] as [string, string]]),
  ];
  if (argRows.length > 0) lines.push('', p.bold('Arguments'), ...twoColumns(argRows));
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(
    ([long, spec]): [string, string] => [
      `${spec.short === undefined ? '    ' : `-${spec.short}, `}--${long}${spec.type === 'boolean' ? '' : ` ${spec.value ?? 'VALUE'}`}${spec.type === 'list' ? ' …' : ''}`,
      [
        spec.help,
        ...(spec.choices === undefined ? [] : [`one of ${spec.choices.join(', ')}`]),
        ...(spec.defaultText === undefined ? [] : [`default ${spec.defaultText}`]),
        ...(spec.env === undefined ? [] : [`or ${spec.env}`]),
        ...(spec.required === true ? ['required'] : []),
      ].join('; '),
    ],
  );
  lines.push('', p.bold('Options'), ...twoColumns(options));
  lines.push('', p.bold('Examples'));
  for (const example of command.examples)
    lines.push(`  ${p.dim(`# ${example.does}`)}`, `  ${example.command}`);
  return `${lines.join('\n')}\n`;
}

/** Help of the whole, or of a group such as `tulle token`. */
export function overviewHelp(entries: readonly CommandEntry[], p: Paint, group?: string): string {
  const shown = group === undefined ? entries : entries.filter((e) => e.name.startsWith(`${group} `));
  return `${[
    group === undefined ? 'Tulle: a service mesh that you tailor.' : `tulle ${group}`,
    '',
    p.bold('Usage'),
    `  tulle ${group === undefined ? 'COMMAND' : `${group} COMMAND`} [options]`,
    '',
    p.bold('Commands'),
    ...twoColumns(shown.map((e) => [e.name, e.summary])),
    '',
    '`tulle COMMAND --help` shows options and examples. Exit codes: 0 ok, 1 failed, 64 usage, 65 invalid input,',
    '69 unreachable, 79 findings, 130 interrupted.',
  ].join('\n')}\n`;
}

function twoColumns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(36, Math.max(...rows.map(([left]) => left.length)));
  return rows.flatMap(([left, right]) => {
    const wrapped = wrap(right, 76 - width);
    const first =
      left.length > width
        ? [`  ${left}`, `  ${' '.repeat(width)}  ${wrapped[0]}`]
        : [`  ${left.padEnd(width)}  ${wrapped[0]}`];
    return [...first, ...wrapped.slice(1).map((line) => `  ${' '.repeat(width)}  ${line}`)];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
