import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A cgroup v2 of our own. */
export interface Cgroup {
  /** As in `/proc/PID/cgroup`: what rules name. */
  readonly path: string;
  readonly directory: string;
  /** Where cgroup v2 is mounted. */
  readonly mount: string;
  /** Moves a process into it; sockets that it makes from then on belong to it. */
  add(pid: number): void;
  /** Moves a process to where this one was when it was made. */
  giveBack(pid: number): void;
  processes(): number[];
  /** Removes it; one that still has processes stays. */
  remove(): void;
}

/** Where cgroup v2 is, and where in it this process is. */
interface Hierarchy {
  readonly mount: string;
  readonly own: string;
}

/**
 * Makes a cgroup below that of this process, or takes the one of that name.
 * @throws Error with a sentence where there is no cgroup v2, or it cannot be written to
 */
export function makeCgroup(name: string): Cgroup {
  const { mount, own } = hierarchy();
  const path = join(own, name);
  const directory = join(mount, path);
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new Error(`cannot make the cgroup ${directory}: ${(error as Error).message}`, { cause: error });
  }
  const procs = join(directory, 'cgroup.procs');
  return {
    path,
    directory,
    mount,
    add: (pid) => writeFileSync(procs, String(pid)),
    giveBack: (pid) => writeFileSync(join(mount, own, 'cgroup.procs'), String(pid)),
    processes: () =>
      readFileSync(procs, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map(Number),
    remove() {
      try {
        rmdirSync(directory);
      } catch {
        // It has processes, or is gone.
      }
    },
  };
}

/**
 * Removes cgroups below that of this process in which nobody is: left by a proxy that was killed.
 * @param name of those that may be removed
 * @param keeper the name of a cgroup beside one: as long as that has processes, it stays, for it is only not in use yet
 */
export function sweepCgroups(name: RegExp, keeper: (entry: string) => string): void {
  const { mount, own } = hierarchy();
  const directory = join(mount, own);
  const entries = readdirSync(directory).filter((entry) => name.test(entry));
  // The longest first, so that who keeps is gone before what is kept.
  for (const entry of entries.toSorted((a, b) => b.length - a.length)) {
    if (existsSync(join(directory, keeper(entry)))) continue;
    try {
      rmdirSync(join(directory, entry));
    } catch {
      // in use
    }
  }
}

function hierarchy(): Hierarchy {
  const mount = mountOf(readProc('/proc/self/mountinfo'));
  if (mount === undefined)
    throw new Error('no cgroup v2 is mounted (mount -t cgroup2 none /sys/fs/cgroup/unified)');
  const own = /^0::(.*)$/m.exec(readProc('/proc/self/cgroup'))?.[1] ?? '/';
  return { mount, own };
}

function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** proc(5): mount point is the fifth field, the type follows a dash. */
function mountOf(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    if (after.startsWith('cgroup2 ')) return before.split(' ')[4];
  }
  return undefined;
}
