import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Child } from './child.ts';
import { startCollector, type Collector } from './collector.ts';
import { startInstance, type Instance, type InstanceOptions } from './instance.ts';
import { send } from './load.ts';
import * as programs from './programs.ts';
import { tlsRelay, type TlsRelay } from './tls-relay.ts';
import { tulleInOwnMesh, type Tulle } from './tulle.ts';
import { until } from './until.ts';

/** The demo's trust domain. */
export const trustDomain = 'shop.demo';
/** SPIFFE id of a service of the demo. */
export const spiffeId = (service: string): string => `spiffe://${trustDomain}/ns/default/sa/${service}`;

/** A text that must never cross the wire in clear. */
export const secret = 'the-secret-of-the-fabric-6f1d9c';

/** The whole shop: a control plane, and services with a sidecar beside each, all processes of their own. */
export interface Shop {
  readonly tulle: Tulle;
  /** The one that runs, or ran last. */
  readonly controlPlane: Child;
  /** Starts another one with the state of the last, which has ended; resolves when it answers. */
  restartControlPlane(): Promise<void>;
  /** Gets the traces of every sidecar of the shop. */
  readonly collector: Collector;
  /** Where the control plane is, as it wrote it down for whoever looks. */
  endpoints(): Promise<{ readonly xds: string; readonly api: string }>;
  readonly front: Instance;
  readonly catalog: Instance;
  readonly reviewsV1: Instance;
  readonly reviewsV2: Instance;
  /** On the wire to the sidecar of reviews v1, which advertises this address. */
  readonly relay: TlsRelay;
  /** In which each instance of the reviews notes the ids of the orders that it got. */
  readonly ordersFile: string;
  /** Starts a command of `tulle` that goes on; it ends with the shop at the latest. */
  start(name: string, args: readonly string[]): Child;
  /** Starts another instance of the reviews, beside a sidecar of its own. */
  startReviews(version: string, env?: Readonly<Record<string, string>>): Promise<Instance>;
  /**
   * `tulle apply -f changes/FILE`; resolves when every proxy that is concerned has confirmed.
   * @returns how many that were, and what the slowest took
   */
  apply(file: string): Promise<{ readonly proxies: number; readonly slowestMs: number }>;
  /** `tulle delete -f changes/FILE`. */
  remove(file: string): Promise<void>;
  /** Ends every process and removes what the mesh kept. */
  stop(): Promise<void>;
  /** Ends every process at once. */
  kill(): void;
}

/** How a shop is started. */
export interface ShopOptions {
  /** Called with what is up. */
  readonly progress: (text: string) => void;
  /** Gives the start up. */
  readonly signal: AbortSignal;
  /** Lifetime of certificates. Default: the control plane's own, a day. */
  readonly leafSeconds?: number;
}

/** Starts everything on free ports. What fails undoes what was started. */
export async function startShop({ progress, signal, leafSeconds }: ShopOptions): Promise<Shop> {
  signal.throwIfAborted();
  const tulle = await tulleInOwnMesh();
  const children: Child[] = [];
  const relay = await tlsRelay([secret]);
  const ordersFile = join(tulle.stateDir, '..', 'orders.txt');
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => (stopped ??= end());
  const end = async (): Promise<void> => {
    const others = children.splice(0).filter((child) => child !== controlPlane);
    await Promise.all([tulle.endCommands(), ...others.map(async (child) => child.stop())]);
    await controlPlane?.stop();
    await relay.close();
    await tulle.remove();
  };
  const kill = (): void => {
    for (const child of children) child.kill();
  };
  const startedMs = performance.now();
  const up = <T>(text: string): ((value: T) => T) => {
    return (value) => {
      progress(`${text} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
      return value;
    };
  };
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(() => {});
  const started = (child: Child): void => {
    if (stopped !== undefined) {
      child.kill();
      throw new Error(`${child.name} was to start when the shop was stopped`);
    }
    children.push(child);
  };
  let controlPlane: Child | undefined;
  const startControlPlane = async (): Promise<void> => {
    controlPlane = tulle.start('control plane', [
      ...['control-plane', '--trust-domain', trustDomain],
      ...(leafSeconds === undefined ? [] : ['--leaf-seconds', String(leafSeconds)]),
    ]);
    started(controlPlane);
    await controlPlane.said(/REST http:\S+/);
  };
  let collectorUrl = '';
  const instance = async (options: InstanceOptions): Promise<Instance> =>
    startInstance(tulle, { ...options, collectorUrl }, started);
  const startReviews = async (
    version: string,
    env: Readonly<Record<string, string>> = {},
    advertise?: string,
  ): Promise<Instance> =>
    instance({
      name: 'reviews',
      version,
      command: programs.reviews,
      calls: { catalog: 'CATALOG_URL' },
      env: { VERSION: version, ORDERS_FILE: ordersFile, ...env },
      ...(advertise === undefined ? {} : { advertise }),
    });

  const start = async (): Promise<Shop> => {
    const [collector] = await Promise.all([
      startCollector(started),
      startControlPlane().then(up('the control plane')),
    ]);
    collectorUrl = collector.otlpUrl;
    const [, catalog, reviewsV1, reviewsV2, front] = await Promise.all([
      tulle.must('apply', '-f', 'mesh', '--wait', '60').then(up('services, routes and policies of mesh/')),
      instance({ name: 'catalog', command: programs.catalog(programs.pythonVersion()) }).then(up('catalog')),
      startReviews('v1', {}, `127.0.0.1:${relay.port}`).then(up('reviews, version 1')),
      startReviews('v2').then(up('reviews, version 2')),
      instance({
        name: 'front',
        command: programs.front,
        calls: { catalog: 'CATALOG_URL', reviews: 'REVIEWS_URL' },
      }).then(up('front')),
    ]);
    relay.target('127.0.0.1', reviewsV1.inboundPort);
    for (const path of ['/api/products', '/api/reviews/1'])
      await until(`that front gets ${path}`, async () => {
        const { status } = await send(undefined, front.port, { path });
        return status === 200 ? true : undefined;
      });
    up('the whole shop')(undefined);
    return {
      tulle,
      get controlPlane() {
        if (controlPlane === undefined) throw new Error('there was no control plane yet');
        return controlPlane;
      },
      restartControlPlane: startControlPlane,
      endpoints: async () =>
        JSON.parse(await readFile(join(tulle.stateDir, 'control-plane.json'), 'utf8')) as {
          readonly xds: string;
          readonly api: string;
        },
      collector,
      front,
      catalog,
      reviewsV1,
      reviewsV2,
      relay,
      ordersFile,
      start(name, args) {
        const child = tulle.start(name, args);
        started(child);
        return child;
      },
      startReviews: async (version, env) => startReviews(version, env),
      async apply(file) {
        const { err } = await tulle.must('apply', '--wait', '60', '-f', `changes/${file}`);
        const [, proxies = 0, slowestMs = Number.NaN] =
          /confirmed by (\d+) prox\S+ within (\d+) ms/.exec(err) ?? [];
        return { proxies: Number(proxies), slowestMs: Number(slowestMs) };
      },
      remove: async (file) => void (await tulle.must('delete', '--wait', '60', '-f', `changes/${file}`)),
      stop,
      kill,
    };
  };
  try {
    return await Promise.race([start(), aborted]);
  } catch (error) {
    await stop();
    throw error;
  }
}
