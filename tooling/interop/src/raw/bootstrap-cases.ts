import { strict as assert } from 'node:assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Running, start } from '@tulle/processes';
import { envoyProgram } from '../envoy/program.ts';
import { startOrigin } from '../mesh.ts';
import { tulleProcesses, type TulleProcesses } from '../mixed/processes.ts';
import type { Case } from '../suite.ts';
import { until } from '../until.ts';
import { generations } from './generations.ts';

/** Runs with a control plane as a process, and Envoys from files; all of it ends with it. */
async function withTulle<T>(
  controlPlane: readonly string[],
  run: (tulle: TulleProcesses, envoy: (bootstrap: string) => Promise<Running>) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'tb-')); // short: sockets lie below it
  const tulle = tulleProcesses(directory);
  const envoys: Running[] = [];
  try {
    const plane = tulle.start('control-plane', ...controlPlane.map((arg) => arg.replace('DIR', directory)));
    await plane.said(/control plane of /, 30_000);
    return await run(tulle, async (bootstrap) => {
      const file = join(directory, `envoy-${envoys.length}.yaml`);
      await writeFile(file, bootstrap);
      const envoy = start(
        await envoyProgram(),
        ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning'],
        { cwd: directory },
      );
      envoys.push(envoy);
      return envoy;
    });
  } finally {
    for (const envoy of envoys) await envoy.stop();
    await tulle.close();
    await rm(directory, { recursive: true, force: true });
  }
}

const statusOf = async (url: string): Promise<number> => (await fetch(url)).status;

/** What `tulle xds bootstrap` prints, with the real Envoy. They need nothing of the suite. */
export const bootstrapCases: readonly Case<unknown>[] = [
  {
    name: 'the bootstrap of tulle xds bootstrap --for envoy gets what tulle xds put puts, over a Unix socket',
    async run() {
      const origin = await startOrigin((_, response) => response.end('here'));
      const port = await freePort();
      const [first] = generations({
        random: () => 0.1,
        listeners: [{ host: '127.0.0.1', port }],
        origins: [{ host: '127.0.0.1', port: origin.port }],
      });
      try {
        await withTulle(['--raw-xds', 'unix:DIR/xds.sock'], async (tulle, envoy) => {
          const file = join(tulle.directory, 'all.json');
          await writeFile(file, JSON.stringify({ resources: first?.resources }));
          await tulle.run('xds', 'put', '*', '-f', file);
          const protocols = ['delta', 'state-of-the-world'];
          for (const protocol of protocols) {
            const bootstrap = await tulle.run(
              'xds',
              'bootstrap',
              '--for',
              'envoy',
              '--node',
              protocol,
              '--protocol',
              protocol,
            );
            const running = await envoy(bootstrap);
            await until('an answer', async () =>
              assert.equal(await statusOf(`http://127.0.0.1:${port}/`), 200),
            );
            await until('all of it acknowledged', async () =>
              assert.match(await tulle.run('xds', 'status'), new RegExp(`${protocol} +acked `)),
            );
            await running.stop();
          }
        });
      } finally {
        origin.close();
      }
    },
  },
  {
    name: 'the bootstrap of tulle xds bootstrap --for envoy --sds joins the mesh with the identity of tulle agent',
    async run() {
      const origin = await startOrigin((_, response) => response.end('here'));
      const port = await freePort();
      try {
        await withTulle([], async (tulle, envoy) => {
          await tulle.apply(`apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: web-1, labels: { app: web } }
spec: { address: 127.0.0.1, ports: [{ name: http, port: ${origin.port} }], inbound: { mode: none } }
`);
          const socket = join(tulle.directory, 'sds.sock');
          const agent = tulle.start('agent', '--name', 'envoy', '--socket', socket);
          await agent.said(/joined/, 30_000);
          await envoy(
            await tulle.run(
              'xds',
              'bootstrap',
              '--for',
              'envoy',
              '--sds',
              `unix:${socket}`,
              '--upstream',
              `web=${port}`,
            ),
          );
          await until('an answer', async () =>
            assert.equal(await statusOf(`http://127.0.0.1:${port}/`), 200),
          );
          await until('it is in the status', async () =>
            assert.match(await tulle.run('status'), /envoy.*SYNCED/),
          );
        });
      } finally {
        origin.close();
      }
    },
  },
];
