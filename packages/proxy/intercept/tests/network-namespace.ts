/**
 * A network that captures connections, for tests of this workspace alone: the package ships without it.
 * @packageDocumentation
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';

/** Connections from these addresses are captured; those of the proxy itself are not. */
const RULES = `table inet capture {
  chain output {
    type nat hook output priority -100; policy accept;
    ip saddr 127.0.0.9 meta l4proto tcp redirect to :15001
    ip6 saddr fd00::9 meta l4proto tcp redirect to :15001
  }
}
`;

/** Why no namespace can be made here; `undefined`: it can. */
export function whyNoNamespace(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has network namespaces';
  if (process.getuid?.() !== 0) return 'only root makes network namespaces';
  for (const [program, ...args] of [
    ['ip', '-V'],
    ['nft', '-v'],
  ] as const) {
    try {
      execFileSync(program, args, { stdio: 'ignore' });
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

/** A network namespace with a loopback of its own, whose rules lead what comes from 127.0.0.9 and fd00::9 to port 15001. */
export class CaptureNamespace {
  readonly #name = `tulle-capture-${randomUUID().slice(0, 8)}`;

  constructor() {
    ip('netns', 'add', this.#name);
    try {
      for (const args of [
        ['link', 'set', 'lo', 'up'],
        ['address', 'add', 'fd00::2/128', 'dev', 'lo'],
        ['address', 'add', 'fd00::9/128', 'dev', 'lo'],
      ])
        this.run('ip', args);
      this.run('nft', ['-f', '-'], RULES);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** What starts a program inside; the process that it starts becomes the program. */
  command(program: string, args: readonly string[]): [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#name, program, ...args];
  }

  /** What a program that runs inside prints. @throws Error when it fails, or takes 20 seconds */
  run(program: string, args: readonly string[], input = ''): string {
    const [first, ...rest] = this.command(program, args);
    return execFileSync(first, rest, { input, encoding: 'utf8', timeout: 20_000 });
  }

  remove(): void {
    ip('netns', 'delete', this.#name);
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}
