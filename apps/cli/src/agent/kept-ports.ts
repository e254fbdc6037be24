import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Ports for a program that cannot be given one of the system's choice: those of last time where they are free. */
export interface KeptPorts {
  /** @param key what the port is for */
  choose(key: string, host: string): Promise<number>;
  /** Keeps what was chosen for the next start. */
  save(): Promise<void>;
}

export async function keptPorts(stateDir: string): Promise<KeptPorts> {
  const file = join(stateDir, 'envoy-ports.json');
  const saved = await readSaved(file);
  const chosen: Record<string, number> = {};
  return {
    async choose(key, host) {
      const last = saved[key];
      const port =
        (last === undefined ? undefined : await freePort(host, last)) ?? (await freePort(host, 0)) ?? 0;
      chosen[key] = port;
      return port;
    },
    async save() {
      await writeFile(`${file}.new`, `${JSON.stringify(chosen, null, 2)}\n`, { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
  };
}

/** @returns none where there are none, or they cannot be read */
async function readSaved(file: string): Promise<Readonly<Record<string, number>>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, number>>;
  } catch {
    return {};
  }
}

/** @param wanted 0: any @returns undefined where it is taken */
async function freePort(host: string, wanted: number): Promise<number | undefined> {
  const server = createServer();
  try {
    return await new Promise<number | undefined>((resolve) => {
      server.once('error', () => resolve(undefined));
      server.listen({ host, port: wanted, exclusive: true }, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : undefined);
      });
    });
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
