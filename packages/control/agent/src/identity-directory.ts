import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IdentitySnapshot } from '@tulle/model';

/** The files of an identity: PEM. They stay where they are; what they hold changes. */
export interface IdentityPaths {
  /** The chain, leaf first. */
  readonly certificateFile: string;
  /** PKCS #8, mode 0600. */
  readonly keyFile: string;
  /** The roots of every trust domain that is believed. */
  readonly rootsFile: string;
}

/** A directory that always holds one identity, whole. */
export interface IdentityDirectory extends IdentityPaths {
  write(snapshot: IdentitySnapshot): Promise<void>;
}

const CURRENT = 'current';
/** A version that is being read when the next is there is not taken away under the reader. */
const KEPT = 2;

/**
 * Keeps an identity as files for programs that read no others, such as gRPC's `file_watcher`. Certificate, key and roots change
 * together: each identity is a directory of its own, and `current`, by which they are named, a link to the newest (rename(2)
 * replaces it at once).
 * @param directory made with mode 0700; this writer's alone
 */
export async function identityDirectory(directory: string): Promise<IdentityDirectory> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let version = Math.max(0, ...(await versionsIn(directory)));
  let writing: Promise<unknown> = Promise.resolve();
  const at = (name: string): string => join(directory, CURRENT, name);

  async function replace({ svid, bundles }: IdentitySnapshot): Promise<void> {
    version += 1;
    const own = join(directory, `v${version}`);
    await rm(own, { recursive: true, force: true });
    await mkdir(own, { mode: 0o700 });
    await writeFile(join(own, 'certificate.pem'), svid.certificateChainPem, { mode: 0o600 });
    await writeFile(join(own, 'key.pem'), svid.privateKeyPem, { mode: 0o600 });
    await writeFile(join(own, 'roots.pem'), bundles.flatMap(({ rootsPem }) => rootsPem).join(''), {
      mode: 0o600,
    });
    const link = join(directory, `${CURRENT}.new`);
    await rm(link, { force: true });
    await symlink(`v${version}`, link);
    await rename(link, join(directory, CURRENT));
    for (const old of await versionsIn(directory))
      if (old <= version - KEPT) await rm(join(directory, `v${old}`), { recursive: true, force: true });
  }

  return {
    certificateFile: at('certificate.pem'),
    keyFile: at('key.pem'),
    rootsFile: at('roots.pem'),
    // One after the other, also when one failed.
    write(snapshot) {
      const done = writing.then(() => replace(snapshot));
      writing = done.catch(() => undefined);
      return done;
    },
  };
}

async function versionsIn(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => (/^v\d+$/.test(name) ? [Number(name.slice(1))] : []));
}
