import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '@tulle/filter';
import { pages } from './pages.ts';

describe('the generated reference', () => {
  it.each([...pages()])(
    'docs/reference/%s is what the code says (else run `pnpm reference`)',
    (name, text) => {
      expect(readFileSync(new URL(`../../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(text);
    },
  );

  it('documents every error code', () => {
    const page = pages().get('errors.md') ?? '';
    for (const code of Object.keys(ERROR_TABLE)) expect(page).toContain(`### ${code}\n`);
  });
});
