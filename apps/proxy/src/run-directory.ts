import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryInUseError, lockDirectory } from '@tulle/directory-lock';
import { makePrivateDirectory, tulleDirectories } from '@tulle/sidecar';

/** A directory of this proxy alone, for its sockets. */
export interface RunDirectory {
  readonly baseId: number;
  readonly path: string;
  release(): void;
}

/** Envoy tries as many. */
const MOST_BASE_IDS = 65_536;

/**
 * Takes the directory of a base id, or of the first that is free.
 * @throws DirectoryInUseError (`@tulle/directory-lock`) when another proxy has the one that is asked for
 */
export async function takeRunDirectory(
  root: string | undefined,
  baseId: number | undefined,
  baseIdPath: string | undefined,
): Promise<RunDirectory> {
  const base = root ?? tulleDirectories().run;
  makePrivateDirectory(base);
  for (let id = baseId ?? 0; id < MOST_BASE_IDS; id++) {
    const path = join(base, `envoy-${id}`);
    makePrivateDirectory(path);
    try {
      const lock = await lockDirectory(path);
      if (baseIdPath !== undefined) writeFileSync(baseIdPath, `${id}`);
      return { baseId: id, path, release: () => lock.release() };
    } catch (error) {
      if (baseId !== undefined || !(error instanceof DirectoryInUseError)) throw error;
    }
  }
  throw new Error(`every base id of ${base} is taken`);
}
