import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatAddress, isUnixAddress } from '@tulle/model';
import type { RunningProxy } from '@tulle/sidecar';
import { tulleDirectories } from '@tulle/sidecar/directories';
import { apiClient, type ApiClient } from '../api/api-client.ts';
import { closest } from '../cli/closest.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';

/** Name of the file in which a running proxy says of itself what it is. */
const FILE = 'proxy.json';

/** The proxies that this user runs on this machine; their admin interfaces can be asked. */
export async function localProxies(io: Io): Promise<readonly RunningProxy[]> {
  const { run } = tulleDirectories(io.env);
  const directories = await readdir(run).catch(() => [] as string[]);
  const found = await Promise.all(
    directories.toSorted().map(async (directory) => {
      try {
        return JSON.parse(await readFile(join(run, directory, FILE), 'utf8')) as RunningProxy;
      } catch {
        return undefined; // nothing runs there
      }
    }),
  );
  return found.filter((proxy) => proxy !== undefined);
}

/** Its node id, by which the control plane knows it. */
export const nodeIdOf = ({ spiffeId, instance }: RunningProxy): string => `${spiffeId}~${instance}`;

/** Whether a person means this one: by node id, workload or instance, the last two also with `.namespace`. */
export const isNamed = (proxy: RunningProxy, wanted: string): boolean =>
  [
    nodeIdOf(proxy),
    ...[proxy.name, proxy.instance].flatMap((name) => [name, `${name}.${proxy.namespace}`]),
  ].includes(wanted);

/**
 * Those of this machine that are meant.
 * @throws CliError 69 when none is
 */
export async function localProxiesNamed(io: Io, wanted: string): Promise<readonly RunningProxy[]> {
  const all = await localProxies(io);
  const found = all.filter((proxy) => isNamed(proxy, wanted));
  if (found.length > 0) return found;
  const guess = closest(
    wanted,
    all.map(({ name }) => name),
  );
  throw new CliError(
    EXIT.unreachable,
    `no proxy ${wanted} runs on this machine`,
    guess === undefined
      ? 'tulle status lists those of the mesh; this asks the proxy itself, so run it where that runs'
      : `did you mean ${guess}?`,
  );
}

/** The admin interface of a proxy of this machine. */
export function adminClient({ admin, instance }: RunningProxy, signal: AbortSignal): ApiClient {
  const url = isUnixAddress(admin) ? `unix:${admin.path}` : `http://${formatAddress(admin)}`;
  return apiClient(url, signal, {
    who: `the admin interface of ${instance}`,
    hint: 'its process may have been killed; tulle run starts it again',
  });
}
