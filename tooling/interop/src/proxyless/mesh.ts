import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@tulle/processes';
import type { Running } from '@tulle/processes';
import { tulleProcesses, type TulleProcesses } from '../mixed/processes.ts';
import type { Opened } from '../suite.ts';
import { proxylessClient, type ProxylessClient } from './client.ts';
import { type Language, startProgram } from './programs.ts';

/** Servers of the Service `orders`, each by one language; each has a Service of its own name, too. */
export const SERVERS: readonly { readonly name: string; readonly language: Language }[] = [
  { name: 'one', language: 'js' },
  { name: 'two', language: 'go' },
];

/** One control plane, two servers of `orders`, and a client of each language; all of it processes. */
export interface ProxylessMesh {
  readonly tulle: TulleProcesses;
  /** Of the workload `web`, calling `xds:///orders.default:80`. */
  readonly clients: Readonly<Record<Language, ProxylessClient>>;
  /** Removes these again when it is done. */
  with<T>(yaml: string, run: () => Promise<T>): Promise<T>;
  killControlPlane(): Promise<void>;
  /** At the address of before. */
  startControlPlane(): Promise<void>;
}

const service = (name: string, selector: object): string =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: ${JSON.stringify(selector)}, ports: [{ port: 80, appProtocol: grpc }] }\n`;

/** The Service, as its selector is. */
export const orders = (selector: object = { part: 'orders' }): string => service('orders', selector);

export async function openProxylessMesh(): Promise<Opened<ProxylessMesh>> {
  const directory = await mkdtemp(join(tmpdir(), 'tp-')); // short: sockets lie below it
  const tulle = tulleProcesses(directory);
  const running: Running[] = [];
  const undo: (() => Promise<void> | void)[] = [
    () => rm(directory, { recursive: true }),
    () => tulle.close(),
    async () => {
      for (const one of running.toReversed()) await one.stop('SIGKILL');
    },
  ];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    let controlPlane = tulle.start('control-plane');
    await controlPlane.said(/REST http/);
    await tulle.apply(orders() + SERVERS.map(({ name }) => service(name, { app: name })).join(''));
    const seat = async (name: string, ...flags: readonly string[]): Promise<string> => {
      const agent = tulle.start('agent', '--name', name, '--grpc-bootstrap', `${name}.json`, ...flags);
      await agent.said(/wrote \S+\.json/);
      return join(directory, `${name}.json`);
    };
    for (const { name, language } of SERVERS) {
      const port = await freePort();
      const bootstrap = await seat(name, '--label', 'part=orders', '--port', String(port));
      const server = startProgram(language, 'server', [`127.0.0.1:${port}`, name], bootstrap);
      running.push(server);
      await server.said(/^serving/m);
    }
    const bootstrap = await seat('web');
    const client = (language: Language): ProxylessClient => {
      const program = startProgram(language, 'client', ['xds:///orders.default:80'], bootstrap);
      running.push(program);
      return proxylessClient(program);
    };
    const clients = { js: client('js'), go: client('go') };
    // Each opens its stream with its first call.
    for (const one of Object.values(clients)) await one.call();
    return {
      context: {
        tulle,
        clients,
        async with(yaml, run) {
          try {
            await tulle.apply(yaml);
            return await run();
          } finally {
            for (const [, kind, name] of yaml.matchAll(/^kind: (\S+)\nmetadata: \{ name: (\S+) \}/gm))
              await tulle.run('delete', kind ?? '', name ?? '');
          }
        },
        async killControlPlane() {
          await controlPlane.stop('SIGKILL');
        },
        async startControlPlane() {
          controlPlane = tulle.start('control-plane');
          await controlPlane.said(/REST http/);
        },
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
