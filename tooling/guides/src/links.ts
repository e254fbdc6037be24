import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pages, ROOT } from './blocks.ts';

/** Links of a page's text, outside code. */
export function linksOf(text: string): string[] {
  const prose = text.replace(/^(`{3,})[^]*?^\1\s*$/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
}

/** The fragments by which a page can be linked to: its headings as GitHub names them. */
export function fragmentsOf(text: string): Set<string> {
  const bare = text.replace(/^(`{3,})[^]*?^\1\s*$/gm, '');
  return new Set(
    [...bare.matchAll(/^#+ (.*)$/gm)].map((match) =>
      (match[1] ?? '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Links into the repository that lead nowhere, as `page: link`. */
export function brokenLinks(): string[] {
  const all = [...pages(), ...globSync('docs/{reference,decisions}/*.md', { cwd: ROOT })];
  return all.flatMap((page) =>
    linksOf(readFileSync(join(ROOT, page), 'utf8'))
      .filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(page, link))
      .map((link) => `${page}: ${link}`),
  );
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', fragment] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(ROOT, target))) return false;
  return (
    fragment === undefined ||
    !target.endsWith('.md') ||
    fragmentsOf(readFileSync(join(ROOT, target), 'utf8')).has(fragment)
  );
}
