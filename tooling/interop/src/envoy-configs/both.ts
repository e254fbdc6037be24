import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEnvoyProxy } from '@tulle/envoy-proxy';
import { configText } from '@tulle/envoy-proxy/corpus';
import { freePort, start } from '@tulle/processes';
import { until } from '../until.ts';
import type { Services } from './services.ts';

/** What the cases share. */
export interface Corpus {
  readonly directory: string;
  readonly envoy: string;
  readonly services: Services;
}

/** Ports of listeners and of the admin interface in the corpus; each run has others. */
const OWN_PORTS = [9901, 10000, 10001, 10002, 10443] as const;

/** Port at which nobody listens. */
const NOBODY = 9009;

/** A configuration with real ports, as a file. */
interface Placed {
  readonly file: string;
  readonly ports: ReadonlyMap<number, number>;
}

/** Writes the configuration of that name with ports that are free. @param who puts it to use */
export async function place({ directory, services }: Corpus, name: string, who: string): Promise<Placed> {
  const ports = new Map(services.ports);
  for (const port of [...OWN_PORTS, NOBODY]) ports.set(port, await freePort());
  const file = join(directory, `${name}-${who}.yaml`);
  const text = configText(name, directory)
    .replaceAll(/port_value: (\d+)/g, (_, port: string) => `port_value: ${ports.get(Number(port)) ?? port}`)
    .replaceAll('/tmp/tulle-corpus.sock', services.socket);
  writeFileSync(file, text);
  return { file, ports };
}

/** Has Envoy serve the configuration of that name while it is looked at. */
export async function withEnvoy<T>(
  corpus: Corpus,
  name: string,
  use: (ports: ReadonlyMap<number, number>) => Promise<T>,
): Promise<T> {
  const { file, ports } = await place(corpus, name, 'envoy');
  const envoy = start(corpus.envoy, [
    '-c',
    file,
    '-l',
    'error',
    '--disable-hot-restart',
    '--concurrency',
    '1',
  ]);
  try {
    await until(`Envoy serves ${name}`, async () => {
      const ready = await fetch(`http://127.0.0.1:${ports.get(9901)}/ready`);
      if (ready.status !== 200) throw new Error(`it is ${await ready.text()}`);
    });
    return await use(ports);
  } finally {
    await envoy.stop();
  }
}

/** The same with Tulle. */
export async function withTulle<T>(
  corpus: Corpus,
  name: string,
  use: (ports: ReadonlyMap<number, number>) => Promise<T>,
): Promise<T> {
  const { file, ports } = await place(corpus, name, 'tulle');
  const proxy = await startEnvoyProxy({
    configPath: file,
    supervisor: false,
    runDir: join(corpus.directory, 'r'),
    logLevel: 'error',
    say() {},
  });
  try {
    if (readFileSync(file, 'utf8').includes('health_checks:'))
      await until(`Tulle has checked the endpoints of ${name}`, async () => everyClusterChecked(ports));
    return await use(ports);
  } finally {
    await proxy.stop(0);
  }
}

/** Envoy listens when the first health checks are done; here those that were not checked are used until then. */
async function everyClusterChecked(ports: ReadonlyMap<number, number>): Promise<void> {
  const page = await fetch(`http://127.0.0.1:${ports.get(9901)}/stats?filter=health_check`);
  const results = new Map<string, number>();
  for (const [, cluster = '', what, count] of (await page.text()).matchAll(
    /^cluster\.(.+\.health_check(?:\.name\..+)?)\.(attempt|success|failure): (\d+)$/gm,
  ))
    results.set(cluster, (results.get(cluster) ?? 0) + (what === 'attempt' ? 0 : Number(count)));
  if (results.size === 0 || [...results.values()].includes(0))
    throw new Error(`checked so far: ${JSON.stringify([...results])}`);
}

/** @returns what is seen of Tulle @throws where Envoy shows something else */
export async function sameOf(
  corpus: Corpus,
  name: string,
  look: (ports: ReadonlyMap<number, number>) => Promise<string>,
): Promise<string> {
  const [envoy, tulle] = [await withEnvoy(corpus, name, look), await withTulle(corpus, name, look)];
  if (envoy !== tulle) throw new Error(`Envoy: ${envoy}\nTulle: ${tulle}`);
  return tulle;
}
