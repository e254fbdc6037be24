import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isTulleError } from '@tulle/filter';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allowPackage, loadFilters, readAllowList, verifyFilters, writeAllowList } from '../src/index.ts';
import { integrityOf } from '../src/installed-package.ts';
import { teapotSource, testDirectory, type TestDirectory } from './test-packages.ts';

const NAME = 'tulle-filter-teapot';
let dir: TestDirectory;
beforeEach(() => {
  dir = testDirectory();
  dir.install(NAME, '1.2.3', { 'index.js': teapotSource(NAME), 'README.md': 'hello' });
});
afterEach(() => dir.remove());

const allow = async (): Promise<void> =>
  writeAllowList(dir.file, { packages: [await allowPackage(dir.file, NAME)] });
/** What a refusal says. */
async function refusal(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (isTulleError(error) && error.code === 'TULLE_CONFIG_INVALID') return error.message;
    throw error;
  }
  return 'it was not refused';
}

it('allows what is installed and loads it', async () => {
  await allow();
  const verified = verifyFilters(dir.file);
  expect(verified.extensions).toEqual([`${NAME}@1.2.3`]);
  expect(verified.phases).toEqual({ [NAME]: 'authn' });
  const [filter] = await loadFilters(verified);
  expect(filter?.definition).toMatchObject({ id: NAME, kind: 'http', apiVersion: 1 });
  expect(verified.list.packages[0]?.filters).toEqual([
    {
      export: 'teapot',
      id: NAME,
      kind: 'http',
      phase: 'authn',
      summary: 'Refuses coffee.',
      configSchema: filter?.definition.config.jsonSchema,
    },
  ]);
});

it('makes the integrity that sha512sum makes', () => {
  const directory = join(dirname(dir.file), 'node_modules', NAME);
  dir.write(`node_modules/${NAME}/node_modules/x/y.js`, 'not counted');
  const text = execFileSync(
    'sh',
    [
      '-c',
      "find . -path ./node_modules -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha512sum | sha512sum | cut -d' ' -f1",
    ],
    { cwd: directory, encoding: 'utf8' },
  );
  expect(integrityOf(directory)).toBe(`sha512-${Buffer.from(text.trim(), 'hex').toString('base64')}`);
});

describe('refuses by name', () => {
  it('another version', async () => {
    await allow();
    dir.install(NAME, '1.2.4', { 'index.js': teapotSource(NAME) });
    expect(await refusal(() => verifyFilters(dir.file))).toContain(
      `${NAME} is installed in version 1.2.4, allowed is 1.2.3`,
    );
  });

  it('a changed file, before and after it was verified, and runs none of it', async () => {
    // Allowed elsewhere: here its code was never loaded, so that running it would be seen.
    const elsewhere = testDirectory();
    elsewhere.install(NAME, '1.2.3', { 'index.js': teapotSource(NAME), 'README.md': 'hello' });
    writeAllowList(dir.file, { packages: [await allowPackage(elsewhere.file, NAME)] });
    elsewhere.remove();
    const verified = verifyFilters(dir.file);
    dir.write(`node_modules/${NAME}/index.js`, `globalThis.ran = true; ${teapotSource(NAME)}`);
    const message = `the files of ${NAME}@1.2.3 are not those that were allowed`;
    expect(await refusal(() => verifyFilters(dir.file))).toContain(message);
    expect(await refusal(async () => loadFilters(verified))).toContain(message);
    expect(globalThis).not.toHaveProperty('ran');
  });

  it('an added file', async () => {
    await allow();
    dir.write(`node_modules/${NAME}/more.js`, '');
    expect(await refusal(() => verifyFilters(dir.file))).toContain('are not those that were allowed');
  });

  it('a changed, a new and a lost dependency', async () => {
    const manifest = { dependencies: { brew: '1' } };
    dir.install('brew', '1.0.0', { 'index.js': '' }, { peerDependencies: {} });
    dir.install(NAME, '1.2.3', { 'index.js': teapotSource(NAME) }, manifest);
    await allow();
    dir.write('node_modules/brew/index.js', 'changed');
    expect(await refusal(() => verifyFilters(dir.file))).toContain(
      `the files of brew@1.0.0, on which ${NAME} depends, are not those that were allowed`,
    );
    dir.install('brew', '1.0.1', { 'index.js': '' }, { peerDependencies: {} });
    const both = await refusal(() => verifyFilters(dir.file));
    expect(both).toContain(`${NAME} depends on brew@1.0.1, which was not allowed`);
    expect(both).toContain(`${NAME} no longer depends on brew@1.0.0`);
  });

  it('a change deep among its dependencies', async () => {
    const plain = { peerDependencies: {} };
    dir.install('kettle', '1.0.0', { 'index.js': '' }, plain);
    dir.install('brew', '1.0.0', { 'index.js': '' }, { ...plain, dependencies: { kettle: '1' } });
    dir.install(NAME, '1.2.3', { 'index.js': teapotSource(NAME) }, { dependencies: { brew: '1' } });
    await allow();
    verifyFilters(dir.file);
    dir.write('node_modules/kettle/index.js', 'changed');
    expect(await refusal(() => verifyFilters(dir.file))).toContain(
      `the files of kettle@1.0.0, on which ${NAME} depends`,
    );
  });

  it('what is not installed', async () => {
    await allow();
    dir.install('another', '1.0.0', {});
    const list = readAllowList(dir.file);
    writeAllowList(dir.file, {
      packages: [
        {
          ...list.packages[0]!,
          package: 'tulle-filter-gone',
          filters: [{ ...list.packages[0]!.filters[0]!, id: 'tulle-filter-gone' }],
        },
      ],
    });
    expect(await refusal(() => verifyFilters(dir.file))).toContain('tulle-filter-gone is not installed');
    expect(await refusal(async () => allowPackage(dir.file, 'nothing-here'))).toContain(
      'nothing-here is not installed',
    );
  });

  it('a definition that is invalid, of another contract, or with the name of another', async () => {
    const raw = (definition: string): string =>
      `export const f = Object.assign(() => {}, { definition: ${definition} });`;
    dir.install(NAME, '1.0.0', {
      'index.js': raw(`{ apiVersion: 3, id: 'tulle.http.authz', config: { '~standard': {} } }`),
    });
    const message = await refusal(async () => allowPackage(dir.file, NAME));
    expect(message).toContain(`f of ${NAME} has an invalid definition: /apiVersion 3 is not known here`);
    expect(message).toContain(`has the id tulle.http.authz; it must be ${NAME}, or begin with ${NAME}/`);
    expect(message).toContain('/config has no jsonSchema');
    expect(message).toContain('/create must be a function');
  });

  it('a package without filters, or that cannot be loaded', async () => {
    dir.install(NAME, '1.0.0', { 'index.js': 'export const x = 1' });
    expect(await refusal(async () => allowPackage(dir.file, NAME))).toContain(
      `${NAME}@1.0.0 exports no filter, only x`,
    );
    expect(await refusal(async () => allowPackage(dir.file, NAME, ['teapot']))).toContain(
      `teapot of ${NAME} is not exported`,
    );
    dir.install('tulle-filter-thrower', '1.0.1', { 'index.js': 'throw new Error("at once")' });
    expect(await refusal(async () => allowPackage(dir.file, 'tulle-filter-thrower'))).toContain(
      'tulle-filter-thrower@1.0.1 cannot be loaded: at once',
    );
    dir.install(NAME, '1.0.2', {}, { exports: { './other': './x.js' } });
    expect(await refusal(async () => allowPackage(dir.file, NAME))).toContain('exports nothing under "."');
  });

  it.each(['../outside.js', 'lib/../../outside.js', './node_modules/hidden/index.js', '.git/index.js'])(
    'an entry that its integrity does not cover: %s',
    async (main) => {
      dir.write(`node_modules/${NAME}/node_modules/hidden/index.js`, teapotSource(NAME));
      dir.write(`node_modules/${NAME}/.git/index.js`, teapotSource(NAME));
      dir.write(`node_modules/${NAME}/lib/index.js`, '');
      dir.write('node_modules/outside.js', teapotSource(NAME));
      dir.write(
        `node_modules/${NAME}/package.json`,
        JSON.stringify({ name: NAME, version: '1.2.3', type: 'module', main }),
      );
      expect(await refusal(allow)).toContain(`names ${main}, which is no file of its own`);
    },
  );

  it('a link in a package, which leads out of it', async () => {
    symlinkSync('/etc/hosts', join(dirname(dir.file), 'node_modules', NAME, 'link'));
    expect(await refusal(async () => allowPackage(dir.file, NAME))).toContain('holds link, which is no file');
  });

  it('a list that is edited: unknown fields, a foreign id, the same twice, all at once', async () => {
    await allow();
    const { packages } = readAllowList(dir.file);
    const [one] = packages;
    dir.write('tulle-filters.json', JSON.stringify({ packages: [{ ...one, versoin: '1' }], more: 1 }));
    const unknown = await refusal(() => readAllowList(dir.file));
    expect(unknown).toContain('/packages/0/versoin');
    expect(unknown).toContain('/more');
    const twice = { packages: [one, { ...one, filters: [{ ...one?.filters[0], id: 'tulle.http.authz' }] }] };
    dir.write('tulle-filters.json', JSON.stringify(twice));
    const message = await refusal(() => readAllowList(dir.file));
    expect(message).toContain(`/packages/1/package ${NAME} stands at /packages/0/package already`);
    expect(message).toContain(`tulle.http.authz is not an id of ${NAME}`);
    dir.write('tulle-filters.json', '{ packages');
    expect(await refusal(() => readAllowList(dir.file))).toMatch(/tulle-filters\.json: is no JSON: .*line 1/);
  });

  it('a schema that the list has otherwise', async () => {
    await allow();
    const { packages } = readAllowList(dir.file);
    const [one] = packages;
    writeAllowList(dir.file, {
      packages: [{ ...one!, filters: [{ ...one!.filters[0]!, configSchema: { type: 'object' } }] }],
    });
    expect(await refusal(async () => loadFilters(verifyFilters(dir.file)))).toContain(
      `teapot of ${NAME}@1.2.3 has another schema than the list says`,
    );
  });
});

describe('refuses imports of what nobody verified', () => {
  const plain = { peerDependencies: {} };
  // Each under a name of its own: what was loaded once is not resolved again.
  const load = async (name: string, line: string, manifest: object = {}): Promise<string> => {
    dir.install(name, '1.0.0', { 'index.js': `${line}\n${teapotSource(name)}`, 'lib/own.js': '' }, manifest);
    return refusal(async () => {
      writeAllowList(dir.file, { packages: [await allowPackage(dir.file, name)] });
      await loadFilters(verifyFilters(dir.file));
    });
  };
  afterEach(() => void Reflect.deleteProperty(globalThis, 'hoistedRan'));

  it.each([
    ['import', `import 'hoisted';`],
    ['require', `import { createRequire } from 'node:module'; createRequire(import.meta.url)('hoisted');`],
    ['path', `import '../hoisted/index.js';`],
  ])('of a package that it does not declare, by %s', async (kind, line) => {
    dir.install('hoisted', '1.0.0', { 'index.js': 'globalThis.hoistedRan = true;' }, plain);
    const name = `tulle-filter-hoisted-${kind}`;
    const said = await load(name, line);
    expect(said).toContain(`${name}@1.0.0 imports "${kind === 'path' ? '../hoisted/index.js' : 'hoisted'}"`);
    expect(said).toContain('nobody verified it');
    expect(globalThis).not.toHaveProperty('hoistedRan');
  });

  it('of a file in its own node_modules', async () => {
    const name = 'tulle-filter-nested';
    dir.install(name, '1.0.0', {});
    dir.write(`node_modules/${name}/node_modules/hidden.js`, 'globalThis.hoistedRan = true;');
    const line = `import './node_modules/hidden.js';`;
    dir.write(`node_modules/${name}/index.js`, `${line}\n${teapotSource(name)}`);
    expect(await refusal(async () => allowPackage(dir.file, name))).toContain(
      `${name}@1.0.0 imports "./node_modules/hidden.js"`,
    );
    expect(globalThis).not.toHaveProperty('hoistedRan');
  });

  it('by what it depends on', async () => {
    dir.install('hoisted', '1.0.0', { 'index.js': 'globalThis.hoistedRan = true;' }, plain);
    dir.install('kettle', '1.0.0', { 'index.js': `import 'hoisted';` }, plain);
    const manifest = { dependencies: { kettle: '1' } };
    expect(await load('tulle-filter-deep', `import 'kettle';`, manifest)).toContain(
      'kettle@1.0.0 imports "hoisted"',
    );
  });

  it('later too, when its code runs', async () => {
    dir.install('hoisted', '1.0.0', { 'index.js': 'globalThis.hoistedRan = true;' }, plain);
    const name = 'tulle-filter-late';
    const line = `export const late = globalThis.tulleLate = () => import('hoisted');`;
    expect(await load(name, line)).toBe('it was not refused');
    const { tulleLate } = globalThis as unknown as { tulleLate: () => Promise<unknown> };
    await expect(tulleLate()).rejects.toThrow(`${name}@1.0.0 imports "hoisted"`);
  });

  it('but not of files of its own, of what it declares, and of Node', async () => {
    dir.install('kettle', '1.0.0', { 'index.js': 'export {};' }, plain);
    const name = 'tulle-filter-declared';
    const lines = `import './lib/own.js'; import 'node:fs'; import 'path'; import 'kettle'; import { createRequire } from 'node:module';
      createRequire(import.meta.url)('fs');`;
    const manifest = { dependencies: { kettle: '1' } };
    expect(await load(name, lines, manifest)).toBe('it was not refused');
  });
});
