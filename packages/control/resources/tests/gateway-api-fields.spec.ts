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

/** Fields that are refused when they are read, by name, with the code that says so. */
const REFUSED: Readonly<Record<string, readonly [code: string, resource: object]>> = {
  GatewayClass: [
    'TULLE0103',
    { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'GatewayClass', metadata: { name: 'c' }, spec: {} },
  ],
};

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
    const refused = (path: string): boolean =>
      Object.keys(REFUSED).some((one) => path === one || path.startsWith(`${one}.`));
    const missing = FIELDS.filter(([path]) => !refused(path)).flatMap(([path, values]) =>
      [path, ...values.map((value) => `${path}=${value}`)].filter((one) => !found.has(one)),
    );
    expect(missing).toEqual([]);
  });

  it.each(Object.entries(REFUSED))('%s is refused by name', async (_, [code, resource]) => {
    const codes = await codesOf([resource]);
    expect(codes).toHaveLength(1);
    expect(codes[0]).toContain(code);
  });
});
