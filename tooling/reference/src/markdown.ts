/** A Markdown table; bars and line ends in cells are taken care of. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** A page: its parts with an empty line between them. */
export function page(title: string, generatedFrom: string, ...parts: readonly string[]): string {
  const origin = `<!-- Generated from ${generatedFrom} by \`pnpm reference\`; edit that. -->`;
  return `${[`# ${title}`, origin, ...parts].join('\n\n')}\n`;
}

/** Text as code, `–` for none. */
export function code(text: string): string {
  return text === '' ? '–' : `\`${text}\``;
}

/** The fragment by which GitHub links to a heading. */
export function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}
