import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SUPPORTED_FEATURES } from '@tulle/resources';
import { describe, expect, it } from 'vitest';
import type { Proof } from './gateway-api-feature.ts';
import { FEATURES } from './gateway-api-features.ts';
import { REASONS } from './gateway-api-reasons.ts';

const root = new URL('../../../', import.meta.url);

const textOf = (file: string): string => readFileSync(new URL(file, root), 'utf8');

/** Whether a file has a test, or a case of a table, of this name. */
function has({ file, test }: Proof): boolean {
  const path = fileURLToPath(new URL(file, root));
  if (!existsSync(path)) return false;
  const quoted = ["'", '"', '`'].map((mark) => `${mark}${test.replaceAll(mark, `\\${mark}`)}${mark}`);
  // `it('name'`, `it.each(…)('name'`, or a case `told('name'` or `name: 'name'`; the formatter may put the name on a line of its own.
  const before = String.raw`(?:\bit\(|\)\(|\btold\(|\bname:)\s*`;
  const text = readFileSync(path, 'utf8');
  return quoted.some((name) =>
    new RegExp(before + name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).test(text),
  );
}

/** The text of a test, its table before it included, to where the next one begins, with the constants of others that it names. */
function statementOf({ file, test }: Proof): string {
  const text = textOf(file);
  const at = text.indexOf(test.replaceAll("'", "\\'"));
  const begins = [...text.matchAll(/^ {2}it(?:\.each)?\(/gm)].map(({ index }) => index);
  const from = begins.findLast((index) => index <= at) ?? 0;
  const own = text.slice(
    from,
    begins.find((index) => index > at),
  );
  const constants = `${text}\n${textOf('packages/control/plane/tests/gateway-mesh.ts')}`.matchAll(
    /^ {0,2}(?:export )?const (\w+)\b[^;]*;/gm,
  );
  return [
    own,
    ...[...constants].flatMap(([all, name]) => (new RegExp(`\\b${name}\\b`).test(own) ? [all] : [])),
  ].join('\n');
}

describe('reasons of conditions of the Gateway API', () => {
  const nameOf = (one: (typeof REASONS)[number]): string => `${one.of} ${one.condition} ${one.reason}`;

  it('have tests that exist and that say them, or a word why nothing is said so', () => {
    const faults = REASONS.flatMap((one) => [
      ...(one.proofs.length > 0 === (one.never !== undefined) ? [`${nameOf(one)}: neither, or both`] : []),
      ...one.proofs
        .filter((proof) => !has(proof) || !new RegExp(`\\b${one.reason}\\b`).test(statementOf(proof)))
        .map(({ file, test }) => `${nameOf(one)}: ${file}: ${test}`),
    ]);
    expect(faults).toEqual([]);
  });

  it('are each either said or not, and what is never said is nowhere in the source', () => {
    const told = new Set(REASONS.filter((one) => one.never === undefined).map(nameOf));
    const not = REASONS.filter((one) => one.never !== undefined);
    expect(not.filter((one) => told.has(nameOf(one)))).toEqual([]);
    const elsewhere = new Set(REASONS.filter((one) => one.never === undefined).map(({ reason }) => reason));
    const source = ['status', 'compile']
      .flatMap((part) => {
        const folder = `packages/control/plane/src/${part}/`;
        return readdirSync(new URL(folder, root)).map((file) => textOf(`${folder}${file}`));
      })
      .join('\n');
    expect(
      not.filter(({ reason }) => !elsewhere.has(reason) && source.includes(`'${reason}'`)).map(nameOf),
    ).toEqual([]);
  });
});

describe('features of the Gateway API', () => {
  it('are said of the GatewayClass, sorted, but for those of the mesh and what has no name there', () => {
    const served = FEATURES.filter(({ unsupported }) => unsupported === undefined).map(({ name }) => name);
    const unnamed = served.filter((name) => !SUPPORTED_FEATURES.includes(name));
    expect(unnamed.filter((name) => !name.startsWith('Mesh'))).toEqual([
      'Default Gateways (GEP-3793): defaultScope, useDefaultGateways',
      'filters of a backend: URLRewrite',
      'filters of a backend: RequestRedirect',
      'sessionPersistence (GEP-1619)',
      'ExternalAuth filter (GEP-1494)',
      'filters: RequestHeaderModifier, of rules and of backends',
      'filters: ResponseHeaderModifier, RequestMirror',
      'BackendTrafficPolicy: retryConstraint (GEP-3388)',
    ]);
    expect(SUPPORTED_FEATURES.filter((name) => !served.includes(name))).toEqual([]);
    expect(SUPPORTED_FEATURES).toEqual(SUPPORTED_FEATURES.toSorted());
    expect(SUPPORTED_FEATURES.length).toBeLessThanOrEqual(64); // all that a status has
  });

  it('have tests that exist', () => {
    const missing = FEATURES.flatMap(({ name, proofs }) =>
      proofs.filter((proof) => !has(proof)).map(({ file, test }) => `${name}: ${file}: ${test}`),
    );
    expect(missing).toEqual([]);
  });

  it('are each named once, and each proven by something', () => {
    const names = FEATURES.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(FEATURES.filter(({ proofs }) => proofs.length === 0)).toEqual([]);
  });

  it('a test that is not there, or stands in a comment only, is found out', () => {
    const file = 'tooling/reference/src/gateway-api-features.spec.ts';
    expect(has({ file, test: 'have tests that exist' })).toBe(true);
    expect(has({ file, test: 'have tests that never were' })).toBe(false);
    expect(has({ file: 'tooling/reference/src/no.spec.ts', test: 'have tests that exist' })).toBe(false);
    // it: 'only here'
    expect(has({ file, test: 'only here' })).toBe(false);
  });
});
