import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filterNames } from './names.ts';
import { runCreate } from './run-create.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'tulle-create-'))));
afterEach(() => rmSync(dir, { recursive: true }));

/** Runs the command; with answers it has a terminal, on which they are typed as it asks. */
async function create(
  args: readonly string[],
  answers?: readonly string[],
  env: Record<string, string> = {},
) {
  const terminal = answers !== undefined;
  const stdin = Object.assign(new PassThrough(), { isTTY: terminal });
  const stdout = Object.assign(new PassThrough(), { isTTY: terminal });
  const stderr = new PassThrough();
  let out = '';
  let err = '';
  const left = [...(answers ?? [])];
  stdout.on('data', (piece: Buffer) => {
    out += piece.toString();
    if (out.endsWith(': ') && left.length > 0) stdin.write(`${left.shift()}\n`);
  });
  stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  const code = await runCreate(args, { cwd: dir, env, stdin, stdout, stderr });
  return { code, out, err };
}
const read = (path: string): string => readFileSync(join(dir, path), 'utf8');
const files = (path: string): string[] =>
  readdirSync(join(dir, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(dir, path).length + 1))
    .sort();

describe('it writes', () => {
  it.each([
    ['http', '@acme/brew-tea', 'tulle-filter-brew-tea', '@acme/tulle-filter-brew-tea'],
    ['connection', 'tulle-filter-brew-tea', 'tulle-filter-brew-tea', 'tulle-filter-brew-tea'],
  ])(
    'a %s filter, in whose files nothing is left of the template',
    async (kind, name, directory, packageName) => {
      const { code, out } = await create([name, '--kind', kind]);
      expect(code).toBe(0);
      expect(out).toContain(`${packageName} is in ${directory}`);
      expect(files(directory)).toEqual([
        '.gitignore',
        'README.md',
        'package.json',
        'scripts/readme.ts',
        'src/compliance.spec.ts',
        'src/filter.spec.ts',
        'src/filter.ts',
        'tsconfig.json',
        'tsup.config.ts',
      ]);
      for (const file of files(directory)) expect(read(join(directory, file))).not.toMatch(/sample/i);
      const source = read(`${directory}/src/filter.ts`);
      expect(source).toContain(`id: '${packageName}'`);
      expect(source).toContain('export const brewTea: ');
      expect(source).toContain('interface BrewTeaConfig');
      expect(source).toContain("'BREW_TEA_REFUSED'");
      expect(source).toContain("'brew_tea_refused_total'");
      const manifest = JSON.parse(read(`${directory}/package.json`)) as {
        readonly name: string;
        readonly peerDependencies: object;
        readonly devDependencies: Readonly<Record<string, string>>;
      };
      expect(manifest.name).toBe(packageName);
      for (const range of Object.values(manifest.devDependencies))
        expect(range).toMatch(/^[\^~]?\d+\.\d+\.\d+/);
      expect(manifest.peerDependencies).toEqual({
        '@tulle/filter': expect.stringMatching(/^(>=0\.\d+\.\d+ <1|\^[1-9])/) as string,
      });
    },
  );

  it('the phase that was asked for, in source and documentation', async () => {
    await create(['brew-tea', '--phase', 'authn', '--directory', 'here']);
    expect(read('here/src/filter.ts')).toContain("phase: 'authn'");
    expect(read('here/README.md')).toContain('phase: authn');
  });

  it('into an empty directory, also one with a repository', async () => {
    mkdirSync(join(dir, 'here/.git'), { recursive: true });
    expect((await create(['brew-tea', '--directory', 'here'])).code).toBe(0);
  });
});

describe('it asks', () => {
  it('in a terminal, until an answer is one', async () => {
    const { code, out } = await create([], ['Brew Tea', 'brew-tea', 'udp', 'http', '']);
    expect(code).toBe(0);
    expect(out).toContain('"Brew Tea" is no package name');
    expect(out).toContain('one of http, connection');
    expect(read('tulle-filter-brew-tea/src/filter.ts')).toContain("phase: 'custom'");
  });

  it.each([
    ['--yes', [], ['--yes'], {}],
    ['in CI', [], [], { CI: 'true' }],
    ['without a terminal', undefined, [], {}],
  ])('nothing %s', async (_how, answers, args, env) => {
    expect(await create(['brew-tea', ...args], answers, env as Record<string, string>)).toMatchObject({
      code: 0,
    });
    expect(await create(args, answers, env as Record<string, string>)).toMatchObject({
      code: 64,
      err: expect.stringContaining('the name is missing') as string,
    });
  });
});

describe('it refuses', () => {
  it.each([
    [['Tea'], '"Tea" is no package name; use lower-case letters'],
    [['a--b'], '"a--b" is no package name'],
    [['@Acme/tea'], '"@Acme" is no scope'],
    [['x/y/z'], '"x/y/z" is no package name'],
    [['a'.repeat(214)], 'is longer than npm allows'],
    [['tea', '--kind', 'udp'], '--kind "udp" must be one of http, connection'],
    [['tea', '--phase', 'last'], '--phase "last" must be one of cors, authn'],
    [['tea', '--kind', 'connection', '--phase', 'authn'], 'has no phase to choose'],
    [['tea', 'milk'], 'one name, not 2'],
    [['tea', '--colour', 'red'], "Unknown option '--colour'"],
  ])('%j', async (args, message) => {
    const { code, err } = await create(args);
    expect(err).toContain(message);
    expect(code).toBe(64);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('a directory that is not empty, and touches nothing in it', async () => {
    mkdirSync(join(dir, 'here'));
    writeFileSync(join(dir, 'here/package.json'), 'mine');
    const { code, err } = await create(['tea', '--directory', 'here']);
    expect(code).toBe(64);
    expect(err).toContain('here is not empty: it has package.json; name another with --directory');
    expect(files('here')).toEqual(['package.json']);
    writeFileSync(join(dir, 'file'), '');
    expect((await create(['tea', '--directory', 'file'])).err).toContain(
      'file is there already, and is no directory',
    );
  });
});

it('prints its help and its version', async () => {
  expect((await create(['--help'])).out).toMatch(/^Usage: npm create tulle-filter/);
  expect((await create(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it('makes identifiers of names that are none', () => {
  expect(filterNames('new')).toMatchObject({ identifier: 'filterNew', type: 'New', code: 'NEW' });
  expect(filterNames('3scale.auth')).toMatchObject({
    identifier: 'filter3scaleAuth',
    type: 'Filter3scaleAuth',
    code: 'FILTER_3SCALE_AUTH',
  });
});
