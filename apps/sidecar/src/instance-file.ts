import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address, TcpAddress } from '@tulle/model';

/** Ports that were chosen for an instance, kept so that a restart finds its saved configuration usable. */
export interface SavedPorts {
  /** By port of the program; `0` for one that has none. */
  readonly inbound: Readonly<Record<string, number>>;
  /** By `service` or `service:port`. */
  readonly upstreams: Readonly<Record<string, number>>;
  /** By key of the process's role. */
  readonly role: Readonly<Record<string, number>>;
  /** By address; `inbound` for what others begin. */
  readonly capture: Readonly<Record<string, number>>;
}

const NO_PORTS: SavedPorts = { inbound: {}, upstreams: {}, role: {}, capture: {} };

/** @returns empty when there are none, or they cannot be read */
export async function loadPorts(stateDir: string): Promise<SavedPorts> {
  try {
    const saved = JSON.parse(await readFile(join(stateDir, 'ports.json'), 'utf8')) as Partial<SavedPorts>;
    return { ...NO_PORTS, ...saved };
  } catch {
    return NO_PORTS;
  }
}

export async function savePorts(stateDir: string, ports: SavedPorts): Promise<void> {
  await writeWhole(join(stateDir, 'ports.json'), ports);
}

/**
 * What tells this state directory from others of the same workload, host and port: made once, kept over restarts.
 * 24 random bits: a handful of instances on one host never meet.
 */
export async function instanceSuffix(stateDir: string): Promise<string> {
  const path = join(stateDir, 'instance');
  try {
    const kept = (await readFile(path, 'utf8')).trim();
    if (/^[0-9a-f]{6}$/.test(kept)) return kept;
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error;
  }
  const made = randomBytes(3).toString('hex');
  await writeFile(path, `${made}\n`, { mode: 0o600 });
  return made;
}

/** What runs, for `tulle status` and `tulle config` on the same machine. */
export interface RunningProxy {
  readonly name: string;
  readonly namespace: string;
  readonly instance: string;
  readonly spiffeId: string;
  readonly pid: number;
  readonly admin: Address;
  readonly inbound: TcpAddress;
  readonly upstreams: readonly { readonly service: string; readonly address: TcpAddress }[];
  readonly startedMs: number;
}

const FILE = 'proxy.json';

export async function announce(runDir: string, proxy: RunningProxy): Promise<void> {
  await writeWhole(join(runDir, FILE), proxy);
}

export async function withdraw(runDir: string): Promise<void> {
  await rm(join(runDir, FILE), { force: true });
}

async function writeWhole(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
