import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCollector, type Collector } from '@tulle/otlp-collector';
import { freePort, type Running, start } from '@tulle/processes';
import { envoyProgram } from '../envoy/program.ts';
import { startOrigin } from '../mesh.ts';
import type { Opened } from '../suite.ts';
import { until } from '../until.ts';
import { ask } from './load.ts';
import { tulleProcesses, type TulleProcesses } from './processes.ts';

/** Workloads with a proxy: `alpha` has Tulle's, `beta` Envoy. */
export const SEATS = ['alpha', 'beta'] as const;
export type Seat = (typeof SEATS)[number];
/** What both call: each other, themselves, and both together. */
export const SERVICES = ['alpha', 'beta', 'web'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What a service was asked. */
export interface Seen {
  readonly seat: Seat;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** One control plane, a service behind Tulle's sidecar and one behind Envoy; all of it processes. */
export interface MixedMesh {
  readonly tulle: TulleProcesses;
  /** Local ports of services, by who calls. */
  readonly ports: Readonly<Record<Seat, Readonly<Record<ServiceName, number>>>>;
  /** What the services were asked, oldest first. */
  readonly seen: Seen[];
  readonly collector: Collector;
  /** Port of a service's program, without its proxy. */
  readonly origins: Readonly<Record<Seat, number>>;
  /** Unix socket of Envoy's admin interface. */
  readonly envoyAdmin: string;
  /** Access log of each seat. */
  readonly accessLogs: Readonly<Record<Seat, string>>;
  killControlPlane(): Promise<void>;
  /** At the address of before. */
  startControlPlane(): Promise<void>;
  /** Ends beta's agent, and starts it again. */
  restartAgent(): Promise<void>;
  /** Starts another sidecar of Tulle's with alpha's program behind it. */
  startReplica(): Promise<Running>;
  /** Starts another Envoy with beta's program behind it, run by its agent. */
  startEnvoyReplica(): Promise<Running>;
}

const service = (name: string, selector: object): string =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: ${JSON.stringify(selector)}, ports: [{ name: http, port: 80 }] }\n`;

/** @param flags of the control plane */
export async function openMixedMesh(flags: readonly string[] = []): Promise<Opened<MixedMesh>> {
  const directory = await mkdtemp(join(tmpdir(), 'tm-')); // short: sockets lie below it
  const tulle = tulleProcesses(directory);
  const seen: Seen[] = [];
  const flaky = new Set<string>();
  const startService = async (seat: Seat): Promise<{ readonly port: number; close(): void }> =>
    startOrigin((request, response) => {
      const { method = '', url = '', headers } = request;
      seen.push({ seat, method, path: url, headers });
      request.resume();
      // Fails once: the first time that a key is asked for.
      const [, key] = /^\/shop\/flaky\?(.+)/.exec(url) ?? [];
      if (key !== undefined && !flaky.has(key)) {
        flaky.add(key);
        response.statusCode = 503;
      }
      response.end(seat);
    });
  const undo: (() => Promise<void> | void)[] = [() => rm(directory, { recursive: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const alpha = await startService('alpha');
    undo.push(() => alpha.close());
    const beta = await startService('beta');
    undo.push(() => beta.close());
    const collector = await startCollector();
    undo.push(() => collector.close());
    undo.push(() => tulle.close());
    let controlPlane = tulle.start('control-plane', ...flags);
    await controlPlane.said(/REST http/);
    await tulle.apply(
      service('alpha', { app: 'alpha' }) + service('beta', { app: 'beta' }) + service('web', { part: 'web' }),
    );
    const portsOf = async (): Promise<Record<ServiceName, number>> => ({
      alpha: await freePort(),
      beta: await freePort(),
      web: await freePort(),
    });
    const ports = { alpha: await portsOf(), beta: await portsOf() };
    const accessLogs = { alpha: join(directory, 'alpha.log'), beta: join(directory, 'beta.log') };
    const seatFlags = (seat: Seat, port: number): string[] => [
      ...['--name', seat, '--label', 'part=web', '--port', String(port)],
      ...['--otlp-endpoint', collector.url, '--trace-ratio', '1', '--access-log', accessLogs[seat]],
      ...SERVICES.flatMap((name) => ['--upstream', `${name}=${ports[seat][name]}`]),
    ];
    await tulle
      .start('run', ...seatFlags('alpha', alpha.port), '--attach', '--', 'sleep', 'infinity')
      .said(/sa\/alpha joined/);
    const startAgent = async (): Promise<{ readonly agent: Running; readonly admin: string }> => {
      const agent = tulle.start('agent', ...seatFlags('beta', beta.port), '--envoy-bootstrap', 'beta.json');
      const [, admin = ''] = await agent.said(/Envoy's admin (\S+)\n/);
      return { agent, admin };
    };
    let { agent, admin: envoyAdmin } = await startAgent();
    const startEnvoy = async (bootstrap: string): Promise<Running> => {
      const args = ['-c', bootstrap, '--disable-hot-restart', '--concurrency', '2', '--log-level', 'warning'];
      const envoy = start(await envoyProgram(), args, { cwd: directory });
      undo.push(async () => void (await envoy.stop()));
      return envoy;
    };
    await startEnvoy('beta.json');
    for (const seat of SEATS)
      for (const name of SERVICES)
        await until(`an answer of ${name} to ${seat}`, async () =>
          assert.equal((await ask({ port: ports[seat][name], path: '/shop/' })).status, 200),
        );
    return {
      context: {
        tulle,
        ports,
        seen,
        collector,
        origins: { alpha: alpha.port, beta: beta.port },
        envoyAdmin,
        accessLogs,
        async killControlPlane() {
          await controlPlane.stop('SIGKILL');
        },
        async startControlPlane() {
          controlPlane = tulle.start('control-plane', ...flags);
          await controlPlane.said(/REST http/);
        },
        async restartAgent() {
          await agent.stop();
          ({ agent, admin: envoyAdmin } = await startAgent());
        },
        async startEnvoyReplica() {
          const replica = tulle.start(
            ...['agent', '--name', 'beta-two', '--label', 'app=beta', '--label', 'part=web'],
            ...[
              '--port',
              String(beta.port),
              '--envoy-bootstrap',
              'beta-two.json',
              '--',
              await envoyProgram(),
            ],
            ...[
              '-c',
              'beta-two.json',
              '--disable-hot-restart',
              '--concurrency',
              '1',
              '--log-level',
              'warning',
            ],
          );
          await replica.said(/wrote beta-two/);
          await until('its endpoint', async () => {
            const status = await tulle.run('status', '--no-headers');
            assert.match(status, /^beta-two-.* yes .*SYNCED +SYNCED +SYNCED/m);
          });
          return replica;
        },
        async startReplica() {
          const replica = tulle.start(
            ...['run', '--name', 'alpha-two', '--label', 'app=alpha', '--label', 'part=web'],
            // Its program outlives it where it is killed.
            ...['--port', String(alpha.port), '--attach', '--', 'sleep', '60'],
          );
          await replica.said(/sa\/alpha-two joined/);
          return replica;
        },
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
