import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEnvoyProxy } from '@tulle/envoy-proxy';
import { start } from '@tulle/processes';
import { envoyProgram } from '../envoy/program.ts';
import { until } from '../until.ts';

/** A proxy of either make. */
export interface Proxy {
  stop(): Promise<void>;
}

/**
 * Starts one from a bootstrap with an admin interface.
 * @param file of the bootstrap
 * @param directory where it may write; it puts the address of its admin interface into `admin`
 */
export type StartProxy = (file: string, directory: string) => Promise<Proxy>;

async function startEnvoy(file: string, directory: string): Promise<Proxy> {
  const admin = join(directory, 'admin');
  const envoy = start(await envoyProgram(), [
    ...['-c', file, '--disable-hot-restart', '--concurrency', '1', '--admin-address-path', admin],
    ...['--drain-time-s', '1', '--log-level', 'warning'],
  ]);
  await until('Envoy has an admin interface', async () => readFile(admin, 'utf8'));
  return { stop: async () => void (await envoy.stop()) };
}

async function startTulle(file: string, directory: string): Promise<Proxy> {
  const proxy = await startEnvoyProxy({
    configPath: file,
    supervisor: false,
    runDir: join(directory, 'r'),
    adminAddressPath: join(directory, 'admin'),
    logLevel: 'error',
    say() {},
  });
  return { stop: async () => proxy.stop(0) };
}

/** Both, which are given the same and asked the same. */
export const PROXIES: readonly (readonly [name: 'Envoy' | 'Tulle', start: StartProxy])[] = [
  ['Envoy', startEnvoy],
  ['Tulle', startTulle],
];
