import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksOf, pages, parseBlocks, ROOT } from './blocks.ts';
import { typeFaultsOf } from './check-types.ts';

describe('TypeScript on pages', () => {
  it('is what the packages take: every block type-checks under strict', () => {
    const blocks = pages()
      .flatMap(blocksOf)
      .filter(({ language }) => language === 'ts');
    expect(blocks.length).toBeGreaterThan(30);
    expect(typeFaultsOf(blocks)).toEqual([]);
  }, 120_000); // resolves every package: some three seconds alone, more beside other tests

  it('that is a file of the repository is that file', () => {
    const copies = pages()
      .flatMap(blocksOf)
      .filter(({ directives }) => directives['same-as'] !== undefined);
    expect(copies.length).toBeGreaterThan(1);
    for (const { text, directives } of copies)
      expect(text).toBe(readFileSync(join(ROOT, directives['same-as'] ?? ''), 'utf8'));
  });

  it('that is wrong is told with page and line', () => {
    const page =
      'text\n\n<!-- with: declare const port: number; -->\n```ts\nconst a = 1;\nconst b: string = port + a;\n```\n';
    expect(typeFaultsOf(parseBlocks('page.md', page))).toEqual([
      "page.md:6: Type 'number' is not assignable to type 'string'.",
    ]);
  }, 120_000);
});
