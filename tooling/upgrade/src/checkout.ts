import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runToEnd } from '@tulle/processes';

/**
 * The release before the first tag: what came out of the first stretch of work on this repository. A tag `v…` of the
 * history takes its place.
 */
const FIRST_RELEASE = 'b078707';
const INSTALL_TIMEOUT_MS = 300_000;

/**
 * The revision that was released last: the newest tag `v…` before HEAD, without one {@link FIRST_RELEASE}.
 * @returns why there is none where the history does not go so far back
 */
export async function previousRelease(
  repository: string,
): Promise<{ readonly revision: string } | { readonly missing: string }> {
  let revision = FIRST_RELEASE;
  try {
    // Fails where the clone has one commit only.
    const tags = await git(repository, 'tag', '--list', 'v*', '--sort=-creatordate', '--merged', 'HEAD~1');
    revision = tags.split('\n').find(Boolean) ?? revision;
    await git(repository, 'cat-file', '-e', `${revision}^{commit}`);
    return { revision };
  } catch {
    return { missing: `${revision} is not in this clone: git fetch --unshallow --tags` };
  }
}

/** What is in the working tree now, as a revision; files that git does not know are not in it. */
export async function workingTree(repository: string): Promise<string> {
  const changed = await git(repository, 'status', '--porcelain', '--untracked-files=no');
  if (changed === '') return 'HEAD';
  // A commit of nobody: machines that only test have no identity set.
  const nobody = ['-c', 'user.name=upgrade', '-c', 'user.email=upgrade@localhost'];
  return (await git(repository, ...nobody, 'stash', 'create')).trim() || 'HEAD';
}

/** Puts a revision's files into a directory, over those of another, and installs what it needs from the registry. */
export async function install(repository: string, revision: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const archive = join(directory, '.revision.tar');
  await git(repository, 'archive', '--format=tar', '-o', archive, revision);
  await runToEnd('tar', ['xf', archive, '-C', directory]);
  await runToEnd(process.execPath, [join(directory, 'tooling/bootstrap.mjs')], {
    cwd: directory,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

async function git(repository: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('git', ['-C', repository, ...args]);
    return stdout;
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    throw new Error(`git ${args.join(' ')}: ${stderr.trim() || String(error)}`, { cause: error });
  }
}
