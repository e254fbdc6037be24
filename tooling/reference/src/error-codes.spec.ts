import { ERROR_TABLE } from '@tulle/filter';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './source/program.ts';

/** Codes are named in string literals; the names of environment variables look alike and are asked for as such. */
const LITERAL = /(['"`])(TULLE_[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)(?=\1|: )/g;
const ENVIRONMENT =
  /\benv(?:\.|\[['"]|: ['"])(TULLE_[A-Z_]+)|\bgiven\(['"](TULLE_[A-Z_]+)|(?:['"`]set )(TULLE_[A-Z_]+)/g;

interface Sources {
  /** Codes with the files that use them, the table itself apart. */
  readonly used: ReadonlyMap<string, readonly string[]>;
}

function read(): Sources {
  const files = globSync('{packages,apps}/*/{*/,}src/**/*.ts', {
    cwd: ROOT,
    exclude: ['**/*.spec.ts', '**/*.test-d.ts', '**/src/gen/**', '**/node_modules/**'],
  });
  const texts = files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')] as const);
  const environment = new Set(
    texts.flatMap(([, text]) => [...text.matchAll(ENVIRONMENT)].map(([, a, b, c]) => a ?? b ?? c)),
  );
  const used = new Map<string, string[]>();
  for (const [file, text] of texts) {
    if (/contracts\/filter\/src\/(?:policy|stream|control)-errors\.ts$/.test(file)) continue;
    for (const [, , code = ''] of text.matchAll(LITERAL)) {
      if (environment.has(code)) continue;
      const places = used.get(code) ?? [];
      used.set(code, [...places, file]);
    }
  }
  return { used };
}

describe('error codes', () => {
  const { used } = read();

  it('that the sources use are rows of the one table', () => {
    const strangers = [...used].filter(([code]) => !Object.hasOwn(ERROR_TABLE, code));
    expect(strangers).toEqual([]);
    // The search finds something at all.
    expect(used.size).toBeGreaterThan(40);
  });

  it('of the table are each used by the sources', () => {
    expect(Object.keys(ERROR_TABLE).filter((code) => !used.has(code))).toEqual([]);
  });
});
