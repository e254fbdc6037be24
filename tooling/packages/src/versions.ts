import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './run.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
}
type Bump = 'major' | 'minor' | 'patch';

const OUTSIDE = 'packages/filters/outside';

/**
 * What a release would do, on a copy: `changeset version` takes every changeset, moves Tulle's packages together by the highest bump
 * among them and no further, and writes their changelogs. A package that has the contract as a peer, and does not move with
 * Tulle, is bumped where the new version falls out of its range, by a patch, and else left alone (decision D17).
 * @param scratch must not exist
 * @returns what is wrong
 */
export async function checkVersions(root: string, scratch: string): Promise<string[]> {
  const faults: string[] = [];
  const expect = (what: string, actual: string, expected: string): void => {
    if (actual !== expected) faults.push(`changeset version: ${what} is ${actual}, not ${expected}`);
  };
  mkdirSync(scratch);

  const whole = await copyOf(root, join(scratch, 'whole'));
  const before = publicPackages(whole);
  const changesets = changesetsIn(whole);
  const bumps = changesets.flatMap(({ packages }) => [...packages.values()]);
  const current = before.get('@tulle/filter')?.version ?? '';
  const next = bumps.length === 0 ? current : bumped(current, highest(bumps));
  if (bumps.length > 0) await run('changeset', ['version'], whole);
  for (const [name, { version, directory }] of publicPackages(whole)) {
    expect(`the version of ${name}`, version, next);
    const changelog = join(whole, directory, 'CHANGELOG.md');
    const text = existsSync(changelog) ? squeezed(readFileSync(changelog, 'utf8')) : '';
    for (const one of changesets)
      if (one.packages.has(name) && !text.includes(squeezed(one.text)))
        faults.push(`changeset version: the changelog of ${name} lacks what ${one.file} says`);
  }
  expect(
    'what it left in .changeset',
    changesetsIn(whole)
      .map(({ file }) => file)
      .join(' '),
    '',
  );

  for (const [bump, outside] of [
    ['patch', '1.0.0'],
    ['minor', '1.0.1'],
  ] as const) {
    const copy = await copyOf(root, join(scratch, bump), bump);
    await run('changeset', ['version'], copy);
    const packages = publicPackages(copy);
    expect(
      `after a ${bump}, @tulle/filter`,
      packages.get('@tulle/filter')?.version ?? '',
      bumped(current, bump),
    );
    expect(
      `after a ${bump}, who has it as a peer`,
      packages.get('tulle-filter-outside')?.version ?? '',
      outside,
    );
  }
  return faults;
}

/** Manifests and changesets in a repository of their own; with `bump` a single changeset, and a package outside of the group. */
async function copyOf(root: string, into: string, bump?: Bump): Promise<string> {
  const files = globSync(
    [
      'package.json',
      'pnpm-workspace.yaml',
      '.changeset/*',
      '{packages/*,apps,tooling,examples}/*/package.json',
    ],
    { cwd: root },
  );
  for (const file of files) {
    mkdirSync(dirname(join(into, file)), { recursive: true });
    cpSync(join(root, file), join(into, file));
  }
  if (bump !== undefined) {
    for (const { file } of changesetsIn(into)) rmSync(join(into, '.changeset', file));
    writeFileSync(join(into, '.changeset/one.md'), `---\n'@tulle/filter': ${bump}\n---\n\nOne.\n`);
    mkdirSync(join(into, OUTSIDE), { recursive: true });
    const contract = { '@tulle/filter': 'workspace:^' };
    writeFileSync(
      join(into, OUTSIDE, 'package.json'),
      JSON.stringify({
        name: 'tulle-filter-outside',
        version: '1.0.0',
        peerDependencies: contract,
        devDependencies: contract,
      }),
    );
  }
  // The changelog asks git which commit brought a changeset.
  const git = ['-c', 'user.name=check', '-c', 'user.email=check@localhost'];
  await run('git', ['init', '--quiet', '--initial-branch=main'], into);
  await run('git', [...git, 'add', '--all'], into);
  await run('git', [...git, 'commit', '--quiet', '--message=copy'], into);
  return into;
}

function publicPackages(directory: string): Map<string, Manifest & { readonly directory: string }> {
  const found = new Map<string, Manifest & { readonly directory: string }>();
  for (const file of globSync('{packages/*,apps,tooling,examples}/*/package.json', { cwd: directory })) {
    const manifest = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Manifest;
    if (manifest.private !== true) found.set(manifest.name, { ...manifest, directory: dirname(file) });
  }
  return found;
}

interface Changeset {
  readonly file: string;
  readonly packages: ReadonlyMap<string, Bump>;
  readonly text: string;
}

function changesetsIn(directory: string): Changeset[] {
  return readdirSync(join(directory, '.changeset'))
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .map((file) => {
      const [, head = '', text = ''] =
        /^---\n([^]*?)---\n([^]*)$/.exec(readFileSync(join(directory, '.changeset', file), 'utf8')) ?? [];
      const lines = [...head.matchAll(/^['"]?([^'":\s]+)['"]?: *(major|minor|patch) *$/gm)];
      return { file, packages: new Map(lines.map(([, name, bump]) => [name as string, bump as Bump])), text };
    });
}

function highest(bumps: readonly Bump[]): Bump {
  return bumps.includes('major') ? 'major' : bumps.includes('minor') ? 'minor' : 'patch';
}

function bumped(version: string, bump: Bump): string {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  return bump === 'major'
    ? `${major + 1}.0.0`
    : bump === 'minor'
      ? `${major}.${minor + 1}.0`
      : `${major}.${minor}.${patch + 1}`;
}

/** Without line ends and indents, which the changelog sets anew. */
const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim();
