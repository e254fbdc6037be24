import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { check } from './rules.ts';
import { type Layers, readWorkspace } from './workspace.ts';

const layers = JSON.parse(readFileSync(join(import.meta.dirname, '../layers.json'), 'utf8')) as Layers;

interface Declared {
  dependencies?: string[];
  peers?: string[];
  dev?: string[];
}

const manifest = (name: string, { dependencies = [], peers = [], dev = [] }: Declared = {}): string => {
  const group = (names: string[]): Record<string, string> =>
    Object.fromEntries(names.map((one) => [one, '*']));
  return JSON.stringify({
    name,
    exports: { '.': './src/index.ts' },
    dependencies: group(dependencies),
    peerDependencies: group(peers),
    devDependencies: group(dev),
  });
};

const sound: Record<string, string> = {
  'packages/contracts/filter/package.json': manifest('@t/filter'),
  'packages/contracts/filter/src/index.ts': `import type { Row } from './row.ts'; export type Hook = Row;`,
  'packages/contracts/filter/src/row.ts': `import type { Hook } from './index.ts'; export type Row = Hook | 1;`,
  'packages/mechanisms/time/package.json': manifest('@t/time', { dependencies: ['@t/filter'] }),
  'packages/mechanisms/time/src/index.ts': `export const now = 1;`,
  'packages/mechanisms/spiffe/package.json': manifest('@t/spiffe'),
  'packages/mechanisms/spiffe/src/index.ts': `import 'node:tls'; export const tls = 1;`,
  'packages/filters/jwt/package.json': manifest('@t/filter-jwt', {
    dependencies: ['@t/time', 'jose'],
    peers: ['@t/filter'],
    dev: ['@t/filter', '@t/testkit'],
  }),
  'packages/filters/jwt/src/index.ts': `import type { Hook } from '@t/filter'; import 'jose'; import { now } from '@t/time';`,
  'packages/filters/jwt/src/jwt.spec.ts': `import 'vitest'; import '@t/testkit'; import './index.ts';`,
  'packages/filters/cors/package.json': manifest('@t/filter-cors'),
  'packages/filters/cors/src/index.ts': ``,
  'packages/proxy/core/package.json': manifest('@t/proxy', {
    dependencies: ['@t/time', '@t/spiffe'],
    dev: ['@t/testkit'],
  }),
  'packages/proxy/core/src/index.ts': `import './compile.ts'; import './sockets.ts';`,
  'packages/proxy/core/src/compile.ts': `import type { Socket } from './sockets.ts'; import { now } from '@t/time';`,
  'packages/proxy/core/src/compile.spec.ts': `import 'node:fs'; import './compile.ts';`,
  'packages/proxy/core/src/sockets.ts': `import 'node:net'; export type Socket = 1;`,
  'packages/testing/testkit/package.json': manifest('@t/testkit', { dependencies: ['@t/proxy'] }),
  'packages/testing/testkit/src/index.ts': `import '@t/proxy';`,
};

/** The faults of the sound workspace with these files written over it. */
function faultsWith(planted: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'boundaries-'));
  try {
    for (const [path, text] of Object.entries({ ...sound, ...planted })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const faults = check(readWorkspace(root, layers), layers, new Set(['vitest']));
    return faults.map(
      ({ path, line, message }) => `${path}${line === undefined ? '' : `:${line}`}: ${message}`,
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}

it('finds nothing in a sound workspace, test edges back to the testkit and rings of types included', () => {
  expect(faultsWith({})).toEqual([]);
});

const jwt = 'packages/filters/jwt';
const core = 'packages/proxy/core';
const time = 'packages/mechanisms/time';

it('takes names that a file declares, and members, for what they are', () => {
  const text = `import { process } from './own.ts'; export const state = { Buffer: 1, process };
    export class Timer { setTimeout(): number { return state.Buffer; } }
    export function call(require: () => void): void { require(); }`;
  const own = { [`${core}/src/own.ts`]: `export const process = 1;` };
  expect(faultsWith({ ...own, [`${core}/src/attempts/x.ts`]: text.replace('./own', '../own') })).toEqual([]);
});

it('lets a ring of types stand where layers.json sets it apart', () => {
  const planted = {
    [`${core}/src/upstream/a.ts`]: `import type { B } from './b.ts'; export type A = B;`,
    [`${core}/src/upstream/b.ts`]: `import type { A } from './a.ts'; export type B = A | 1;`,
  };
  expect(faultsWith(planted)).toEqual([]);
});

it('leaves out a program that has a package.json of its own, which is installed outside of the workspace', () => {
  const planted = {
    [`${jwt}/programs/client/package.json`]: `{ "name": "client" }`,
    [`${jwt}/programs/client/src/main.mjs`]: `import 'elsewhere';`,
  };
  expect(faultsWith(planted)).toEqual([]);
});

it.each<[fault: string, planted: Record<string, string>, found: string[]]>([
  [
    'a ring of types in the engine, with every file in it',
    {
      [`${core}/src/a.ts`]: `import type { B } from './upstream/b.ts'; import type { C } from './c.ts'; export type A = B | C;`,
      [`${core}/src/upstream/b.ts`]: `import type { A } from '../a.ts'; export type B = A | 1;`,
      [`${core}/src/c.ts`]: `import type { B } from './upstream/b.ts'; export type C = B;`,
      [`${core}/src/d.ts`]: `import type { A } from './a.ts'; export type D = A;`,
    },
    [
      `${core}/src/a.ts: types in a ring of 3 files, ${core}/src/a.ts, ${core}/src/c.ts, ${core}/src/upstream/b.ts: the engine is read from one end to the other; let the lower file know an interface (services.ts, sides.ts, stream-ref.ts)`,
    ],
  ],
  [
    'globals of Node in the pure core, values and types',
    {
      [`${core}/src/chain/x.ts`]: `export function f(bytes: Buffer): unknown {
  return { process, at: Buffer.alloc(1), later: globalThis.setImmediate, bytes };
}`,
    },
    ['Buffer:1', 'process:2', 'setImmediate:2'].map((use) => {
      const [name, line] = use.split(':');
      return `${core}/src/chain/x.ts:${line}: uses the global ${name}: the core is pure (D11): sockets, TLS and timers are adapters behind interfaces`;
    }),
  ],
  [
    'an undeclared import',
    { [`${jwt}/src/index.ts`]: `\nimport 'zod';` },
    [`${jwt}/src/index.ts:2: undeclared: add zod to package.json of @t/filter-jwt`],
  ],
  [
    'an undeclared import of a program that has no package.json of its own, beside one that has',
    {
      [`${jwt}/programs/client/package.json`]: `{ "name": "client" }`,
      [`${jwt}/programs/server/main.mjs`]: `import 'zod';`,
      [`${jwt}/programs/main.mjs`]: `import 'zod';`,
    },
    ['main.mjs', 'server/main.mjs'].map(
      (file) => `${jwt}/programs/${file}:1: undeclared: add zod to package.json of @t/filter-jwt`,
    ),
  ],
  [
    'an undeclared import of a source with a package.json beside it',
    {
      [`${jwt}/src/own/package.json`]: `{ "type": "module" }`,
      [`${jwt}/src/own/index.ts`]: `import 'zod';`,
    },
    [`${jwt}/src/own/index.ts:1: undeclared: add zod to package.json of @t/filter-jwt`],
  ],
  [
    'a source that imports a development dependency',
    {
      [`${time}/package.json`]: manifest('@t/time', { dev: ['zod'] }),
      [`${time}/src/index.ts`]: `export * from 'zod';`,
    },
    [`${time}/src/index.ts:1: zod is a devDependency: sources need it in dependencies or peerDependencies`],
  ],
  [
    'a declared edge that the matrix forbids',
    { [`${time}/package.json`]: manifest('@t/time', { dependencies: ['@t/filter-cors'] }) },
    [`${time}/package.json: mechanisms may not import filters: @t/filter-cors in dependencies`],
  ],
  [
    'an undeclared edge that the matrix forbids, even for a type',
    { [`${core}/src/index.ts`]: `type F = import('@t/filter-jwt').F;` },
    [`${core}/src/index.ts:1: proxy may not import filters: @t/filter-jwt`],
  ],
  [
    'an edge inside a layer that allows none',
    { [`${jwt}/src/index.ts`]: `const cors = await import('@t/filter-cors');` },
    [`${jwt}/src/index.ts:1: filters may not import filters: @t/filter-cors`],
  ],
  [
    'a contract that is a dependency where it must be a peer',
    { 'packages/filters/cors/package.json': manifest('@t/filter-cors', { dependencies: ['@t/filter'] }) },
    [
      'packages/filters/cors/package.json: filters take contracts as a peer: move @t/filter from dependencies to peerDependencies',
    ],
  ],
  [
    'a contract that is only a development dependency where it must be a peer',
    {
      'packages/filters/cors/package.json': manifest('@t/filter-cors', { dev: ['@t/filter'] }),
      'packages/filters/cors/src/index.ts': `export { Hook } from '@t/filter';`,
    },
    [
      'packages/filters/cors/src/index.ts:1: @t/filter is a devDependency: sources need it in dependencies or peerDependencies',
    ],
  ],
  [
    'the testkit as a dependency of what it tests',
    {
      [`${jwt}/package.json`]: manifest('@t/filter-jwt', {
        dependencies: ['@t/testkit', '@t/time', 'jose'],
        peers: ['@t/filter'],
      }),
    },
    [
      `${jwt}/package.json: filters import testing only in tests: move @t/testkit from dependencies to devDependencies`,
    ],
  ],
  [
    'a contract with a dependency',
    { 'packages/contracts/filter/package.json': manifest('@t/filter', { dependencies: ['typebox'] }) },
    [
      'packages/contracts/filter/package.json: contracts have no dependencies: remove typebox from dependencies',
    ],
  ],
  [
    'a deep import in a file of another kind',
    { [`${jwt}/src/extra.mjs`]: `import '@t/time/src/wheel.ts';` },
    [`${jwt}/src/extra.mjs:1: deep import: @t/time exports no "./src/wheel.ts"`],
  ],
  [
    'a deep import',
    { [`${jwt}/src/index.ts`]: `import '@t/time/src/wheel.ts';` },
    [`${jwt}/src/index.ts:1: deep import: @t/time exports no "./src/wheel.ts"`],
  ],
  [
    'an import that leaves its package, also from a spec',
    { [`${jwt}/src/jwt.spec.ts`]: `import '../../../mechanisms/time/src/index.ts';` },
    [
      `${jwt}/src/jwt.spec.ts:1: leaves the package: import ../../../mechanisms/time/src/index.ts by a package name`,
    ],
  ],
  [
    'a cycle between packages',
    {
      'packages/mechanisms/spiffe/package.json': manifest('@t/spiffe', { dependencies: ['@t/time'] }),
      [`${time}/package.json`]: manifest('@t/time', { dependencies: ['@t/spiffe'] }),
    },
    ['packages/mechanisms/time/package.json: packages in a cycle: @t/time → @t/spiffe → @t/time'],
  ],
  [
    'a cycle between files',
    {
      [`${jwt}/src/index.ts`]: `import './key.ts';`,
      [`${jwt}/src/key.ts`]: `import { type Name } from './index.ts';`,
    },
    [`${jwt}/src/index.ts: files in a cycle: ${jwt}/src/index.ts → ${jwt}/src/key.ts → ${jwt}/src/index.ts`],
  ],
  [
    'a node module in a pure file, even as a type',
    { [`${core}/src/chain/run.ts`]: `import type { Socket } from 'node:net';` },
    [
      `${core}/src/chain/run.ts:1: imports node:net: the core is pure (D11): sockets, TLS and timers are adapters behind interfaces`,
    ],
  ],
  [
    'a node module that a pure file reaches through its package',
    { [`${core}/src/match.ts`]: `\n\nimport './sockets.ts';` },
    [
      `${core}/src/match.ts:3: imports ${core}/src/sockets.ts → node:net: the core is pure (D11): sockets, TLS and timers are adapters behind interfaces`,
    ],
  ],
  [
    'a node module that a pure file reaches through another package',
    { [`${core}/src/attempts.ts`]: `import '@t/spiffe';` },
    [
      `${core}/src/attempts.ts:1: imports packages/mechanisms/spiffe/src/index.ts → node:tls: the core is pure (D11): sockets, TLS and timers are adapters behind interfaces`,
    ],
  ],
  [
    'a node module in a pure mechanism',
    { [`${time}/src/wheel.ts`]: `import 'node:timers';` },
    [
      `${time}/src/wheel.ts:1: imports node:timers: this mechanism also runs on the memory transport, in virtual time and in a browser`,
    ],
  ],
  [
    'a node module without its prefix',
    { [`${core}/src/sockets.ts`]: `import 'net';` },
    [`${core}/src/sockets.ts:1: write node:net`],
  ],
  [
    'a package in no layer',
    { 'packages/utils/misc/package.json': manifest('@t/misc') },
    [
      'packages/utils/misc/package.json: is in no layer of layers.json: move the package, or add a layer for it',
    ],
  ],
])('finds %s', (_, planted, found) => {
  expect(faultsWith(planted)).toEqual(found);
});
