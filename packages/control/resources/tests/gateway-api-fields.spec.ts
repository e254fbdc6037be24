import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readResources } from '../src/index.ts';
import { GATEWAY_API_RESOURCES } from './gateway-api-resources.ts';

/** A field, and the values that it may have where they are listed. */
const FIELDS: readonly (readonly [path: string, values: readonly string[]])[] = readFileSync(
  new URL('gateway-api-fields.txt', import.meta.url),
  'utf8',
)
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [path = '', values] = line.split(' = ');
    return [path, values?.split('|') ?? []];
  });

const MAPS = new Set(FIELDS.flatMap(([path]) => (path.endsWith('{}') ? [path.slice(0, -2)] : [])));

/** Paths of a value's fields, and `path=value` of its texts and numbers. */
function pathsIn(value: unknown, at: string, found: Set<string>): void {
  found.add(at);
  if (Array.isArray(value)) for (const one of value) pathsIn(one, `${at}[]`, found);
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value))
      pathsIn(one, MAPS.has(at) ? `${at}{}` : `${at}.${name}`, found);
  else found.add(`${at}=${String(value)}`);
}

async function codesOf(resources: readonly object[]): Promise<string[]> {
  const read = await readResources(
    resources.map((one, i) => ({ text: JSON.stringify(one), file: `${i}.yaml` })),
  );
  return read.diagnostics.map(({ code, message, pointer }) => `${code} ${pointer ?? ''}: ${message}`);
}

describe('fields of the Gateway API', () => {
  it('are all read, with every value that they may have', async () => {
    const found = new Set<string>();
    for (const one of GATEWAY_API_RESOURCES) {
      expect(await codesOf([one]), JSON.stringify(one)).toEqual([]);
      pathsIn(one.spec, `${one.kind}.spec`, found);
    }
    const missing = FIELDS.flatMap(([path, values]) =>
      [path, ...values.map((value) => `${path}=${value}`)].filter((one) => !found.has(one)),
    );
    expect(missing).toEqual([]);
  });
});
