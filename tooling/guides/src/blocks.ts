import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The root of the repository. */
export const ROOT: string = join(import.meta.dirname, '../../..');

/** A fenced block of a page. */
export interface Block {
  /** Page, from the root. */
  readonly page: string;
  /** Line of the fence, from 1. */
  readonly line: number;
  /** First word after the fence: `ts`, `sh`, `yaml`. */
  readonly language: string;
  readonly text: string;
  /** What a comment right before the block says: `<!-- run -->`, `<!-- file: canary.yaml -->`. */
  readonly directives: Readonly<Record<string, string>>;
}

/** The pages that people write: not the generated reference, not the decisions, which keep what was true then. */
export function pages(): string[] {
  return globSync(
    [
      'README.md',
      'docs/*.md',
      'docs/guides/*.md',
      'examples/*/README.md',
      '{packages/*,apps,tooling}/*/README.md',
    ],
    { cwd: ROOT },
  ).toSorted();
}

/** Every fenced block of a page, in order. A comment that is not followed by a block says nothing. */
export function blocksOf(page: string): Block[] {
  return parseBlocks(page, readFileSync(join(ROOT, page), 'utf8'));
}

/** {@link blocksOf} for a text. */
export function parseBlocks(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  let directives: Record<string, string> = {};
  let open: { fence: string; language: string; line: number; lines: string[] } | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    if (open !== undefined) {
      if (line.trim() !== open.fence) {
        open.lines.push(line);
        continue;
      }
      blocks.push({
        page,
        line: open.line,
        language: open.language,
        text: `${open.lines.join('\n')}\n`,
        directives,
      });
      [open, directives] = [undefined, {}];
      continue;
    }
    const [, fence, language = ''] = /^\s*(`{3,})\s*(\w*)/.exec(line) ?? [];
    if (fence !== undefined) {
      open = { fence, language, line: i + 1, lines: [] };
      continue;
    }
    const [, name, value = ''] = /^<!-- ([a-z-]+)(?:: (.*?))? -->$/.exec(line.trim()) ?? [];
    if (name !== undefined) directives[name] = value;
    else if (line.trim() !== '') directives = {};
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: the block does not end`);
  return blocks;
}
