import { expect, it } from 'vitest';
import { brokenLinks, fragmentsOf, linksOf } from './links.ts';

it('every link between pages leads to a file, and to a heading where it names one', () => {
  expect(brokenLinks()).toEqual([]);
});

it('links in code are none, headings are named as GitHub does', () => {
  expect(linksOf('[a](b.md#c) `[x](y)`\n```md\n[no](no.md)\n```\n![i](i.svg)')).toEqual(['b.md#c', 'i.svg']);
  expect([...fragmentsOf('# The command `tulle`\n## tulle.http.authz\n```sh\n# comment\n```')]).toEqual([
    'the-command-tulle',
    'tullehttpauthz',
  ]);
});
