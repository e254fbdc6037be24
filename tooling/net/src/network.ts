import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { makeCgroup, networkNamespaces } from '@tulle/intercept';
import type { Need } from '@tulle/interop/suite';
import { start, type Running, type StartOptions } from '@tulle/processes';

/** What the cases need of the machine. */
export const namespaces: Need = {
  what: 'what captures connections',
  missing: async () => Promise.resolve(whatIsMissing()),
};

function whatIsMissing(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has network namespaces';
  if (process.getuid?.() !== 0) return 'only root makes network namespaces';
  for (const [program, hint] of [
    ['ip', 'apt-get install iproute2'],
    ['nft', 'apt-get install nftables'],
    ['nsenter', 'apt-get install util-linux'],
  ] as const) {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`]);
    } catch {
      return `${program} is not installed; ${hint}`;
    }
  }
  try {
    networkNamespaces().own.close();
    makeCgroup('tulle-net-probe').remove();
    const probe = new Place('probe');
    try {
      execFileSync('ip', ['-n', probe.name, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']);
      probe.run('nft', [
        'add table inet probe; add chain inet probe c { type nat hook output priority 0; }; add rule inet probe c tcp dport 1 redirect to :2',
      ]);
    } finally {
      probe.remove();
    }
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1);
  }
}

/** A machine: a network namespace with a loopback of its own. What runs there sees the files and cgroups of this one. */
export class Place {
  readonly name: string;
  readonly #running = new Set<Running>();

  constructor(what: string) {
    this.name = `tulle-${what}-${randomBytes(3).toString('hex')}`;
    execFileSync('ip', ['netns', 'add', this.name]);
    this.ip('link', 'set', 'lo', 'up');
  }

  ip(...args: string[]): void {
    execFileSync('ip', ['-n', this.name, ...args]);
  }

  /** What a program prints that runs there to its end. @throws Error with what it says when it fails, or takes a minute */
  run(program: string, args: readonly string[]): string {
    return execFileSync('nsenter', [`--net=/run/netns/${this.name}`, program, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  start(program: string, args: readonly string[], options?: StartOptions): Running {
    const running = start('nsenter', [`--net=/run/netns/${this.name}`, program, ...args], options);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Everything that runs there. */
  processes(): number[] {
    const found = execFileSync('ip', ['netns', 'pids', this.name], { encoding: 'utf8' });
    return found.split('\n').filter(Boolean).map(Number);
  }

  /** Tables of rules in force there. */
  tables(): string[] {
    return this.run('nft', ['list', 'tables'])
      .split('\n')
      .filter((line) => line !== '');
  }

  /** Ends what runs there, the last first, and removes it. */
  async close(): Promise<void> {
    for (const running of [...this.#running].toReversed()) await running.stop();
    // What outlives who started it, as a program does whose supervisor was killed.
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL');
    this.remove();
  }

  remove(): void {
    execFileSync('ip', ['netns', 'delete', this.name]);
  }
}

/** Joins two machines by a cable: 10.77.0.1 and fd77::1, 10.77.0.2 and fd77::2; each is the other's way to everywhere. */
export function joinPlaces(one: Place, other: Place): void {
  one.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', other.name);
  for (const [place, own, peer] of [
    [one, 1, 2],
    [other, 2, 1],
  ] as const) {
    place.ip('address', 'add', `10.77.0.${own}/24`, 'dev', 'eth0');
    place.ip('address', 'add', `fd77::${own}/64`, 'dev', 'eth0', 'nodad');
    place.ip('link', 'set', 'eth0', 'up');
    // Whoever is asked for a name has an address to which there must be a way.
    place.ip('route', 'add', 'default', 'via', `10.77.0.${peer}`);
  }
}
