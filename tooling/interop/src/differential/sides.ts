import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isTulleError } from '@tulle/filter';
import { type Running, start } from '@tulle/processes';
import { createXdsServer, type XdsServer } from '@tulle/xds-server';
import { envoyProgram } from '../envoy/program.ts';
import { freePorts } from './loopback.ts';
import { tulleProcesses } from '../mixed/processes.ts';
import { rawBootstrap, type RawProtocol } from '../raw/bootstrap.ts';
import { type Certificates, makeCertificates } from './certificates.ts';
import type { Named } from './configuration.ts';
import { type Origins, startOrigins } from './origins.ts';
import { resourcesFor } from './resources.ts';
import { STANDING_CLUSTERS } from './standing.ts';

export const SIDES = ['envoy', 'tulle'] as const;
export type SideName = (typeof SIDES)[number];

/** One of the two proxies, with what is behind it. */
export interface Side {
  readonly name: SideName;
  readonly origins: Origins;
  /** What its process wrote. */
  log(): string;
}

/** What became of a configuration that was put. */
export interface Taken {
  /** Port of its listener on each side. */
  readonly ports: Readonly<Record<SideName, number>>;
  /** Why a side refused it. */
  readonly refused: Readonly<Partial<Record<SideName, string>>>;
}

/** Both proxies under one xDS server. */
export interface Sides {
  readonly sides: readonly Side[];
  readonly certificates: Certificates;
  /** Puts configurations in place of those that are there, and waits until both have answered. */
  put(configurations: readonly Named[]): Promise<readonly Taken[]>;
  close(): Promise<void>;
}

/** A proxy that does not answer for so long will not. */
const ACK_MS = 20_000;

export async function openSides(protocol: RawProtocol): Promise<Sides> {
  const directory = await mkdtemp(join(tmpdir(), 'td-')); // short: sockets lie below it
  const certificates = await makeCertificates();
  const server = await createXdsServer();
  const tulle = tulleProcesses(directory);
  const bootstrapOf = async (node: SideName): Promise<string> => {
    const file = join(directory, `${node}.json`);
    await writeFile(
      file,
      JSON.stringify(rawBootstrap({ target: server.target, node, protocol, loadReports: false })),
    );
    return file;
  };
  const processes: Record<SideName, Running> = {
    envoy: start(
      await envoyProgram(),
      [
        ...['-c', await bootstrapOf('envoy'), '--disable-hot-restart', '--concurrency', '1'],
        ...['--drain-time-s', '1', '--log-level', 'error'],
      ],
      { cwd: directory },
    ),
    tulle: tulle.start(
      ...['proxy', '-c', await bootstrapOf('tulle'), '--concurrency', '1', '--drain-time-s', '1'],
      ...['--log-level', 'warning'],
    ),
  };
  const sides: Side[] = [];
  for (const name of SIDES)
    sides.push({
      name,
      origins: await startOrigins(certificates),
      log: () => processes[name].text,
    });

  const sides_ = {
    sides,
    certificates,
    async put(configurations: readonly Named[]): Promise<readonly Taken[]> {
      const taken = await putTogether(server, sides, configurations, certificates);
      if (configurations.length < 2 || taken.every(({ refused }) => Object.keys(refused).length === 0))
        return taken;
      // A refusal may hold for all that came with it: who is at fault shows alone.
      const alone: Taken[] = [];
      for (const one of configurations)
        alone.push(...(await putTogether(server, sides, [one], certificates)));
      const good = configurations.filter((_, i) => Object.keys(alone[i]?.refused ?? {}).length === 0);
      const again = good.length === 0 ? [] : await putTogether(server, sides, good, certificates);
      return configurations.map((one, i) => {
        const at = good.indexOf(one);
        return (at < 0 ? alone[i] : again[at]) as Taken;
      });
    },
    async close() {
      await processes.envoy.stop();
      await tulle.close();
      await server.close();
      for (const { origins } of sides) await origins.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return sides_;
}

async function putTogether(
  server: XdsServer,
  sides: readonly Side[],
  configurations: readonly Named[],
  certificates: Certificates,
): Promise<Taken[]> {
  const ports = new Map<SideName, Map<string, number>>();
  // New ports each time: whoever answers there has the new listener, in a worker that serves.
  // None that is an origin's as well, at another address: what is compared calls each by its name.
  const others = new Set(sides.flatMap(({ origins }) => [...origins.ports.values()]));
  const free = (await freePorts(sides.length * configurations.length + others.size)).filter(
    (port) => !others.has(port),
  );
  for (const { name, origins } of sides) {
    const own = new Map(configurations.map(({ id }) => [id, free.pop() ?? 0]));
    ports.set(name, own);
    const resources = resourcesFor(
      configurations,
      STANDING_CLUSTERS,
      ({ id }) => own.get(id) ?? 0,
      origins.ports,
      certificates.pem,
    );
    server.setSnapshot(name, resources, { missing: 'allow' });
  }
  const refused = await Promise.all(
    sides.map(async ({ name }) => {
      try {
        await server.acked(name, { timeoutMs: ACK_MS });
        return undefined;
      } catch (error) {
        if (isTulleError(error) && error.code === 'TULLE_XDS_NACKED') return error.message;
        throw error;
      }
    }),
  );
  return configurations.map(({ id }) => ({
    ports: {
      envoy: ports.get('envoy')?.get(id) ?? 0,
      tulle: ports.get('tulle')?.get(id) ?? 0,
    },
    refused: Object.fromEntries(
      sides.flatMap(({ name }, i) => (refused[i] === undefined ? [] : [[name, refused[i]]])),
    ),
  }));
}
