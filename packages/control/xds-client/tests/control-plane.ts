import { Server, ServerCredentials, credentials } from '@grpc/grpc-js';
import type { ProxyConfig } from '@tulle/model';
import {
  type AckReport,
  addAdsService,
  type AdsService,
  type AdsServiceOptions,
  type NodeInfo,
  type Snapshot,
} from '@tulle/xds-server';
import { type ApplyResult, createXdsClient, type XdsClient, type XdsClientOptions } from '../src/index.ts';
import { config } from './fixtures.ts';

/** A control plane in a test: one configuration for everybody, set by hand. */
export interface TestPlane {
  readonly target: string;
  readonly port: number;
  readonly ads: AdsService;
  readonly reports: (AckReport & { readonly node: string })[];
  /** What nodes said of themselves, when their stream opened and on it. */
  readonly nodes: NodeInfo[];
  readonly closed: { node: string; how: string }[];
  /** Ends the streams that were opened, in order. */
  readonly ends: ((reason: string) => void)[];
  publish(changeId: string, next: ProxyConfig): void;
  /** Resolves with the first report, past or future, that `wanted` takes. */
  report(wanted: (report: AckReport & { readonly node: string }) => boolean): Promise<AckReport>;
  /** Cuts every connection. */
  kill(): Promise<void>;
}

export async function testPlane(
  options: Partial<AdsServiceOptions> & { port?: number; initial?: ProxyConfig; changeId?: string } = {},
): Promise<TestPlane> {
  const server = new Server();
  let snapshot: Snapshot = { changeId: options.changeId ?? 'c0', config: options.initial ?? config({}) };
  const listeners = new Set<(snapshot: Snapshot) => void>();
  const reports: TestPlane['reports'] = [];
  const waiting = new Set<() => void>();
  const nodes: NodeInfo[] = [];
  const closed: TestPlane['closed'] = [];
  const ends: TestPlane['ends'] = [];
  const ads = addAdsService(server, {
    provider: {
      open(node) {
        nodes.push(node);
        let mine: ((snapshot: Snapshot) => void) | undefined;
        return {
          current: () => snapshot,
          subscribe(listener) {
            mine = listener;
            listeners.add(listener);
            return () => void listeners.delete(listener);
          },
          replaceable: (end) => void ends.push(end),
          described(said) {
            nodes.push(said);
          },
          acked(report) {
            reports.push({ ...report, node: node.id });
            for (const look of waiting) look();
          },
          closed(how) {
            closed.push({ node: node.id, how });
            if (mine) listeners.delete(mine);
            for (const look of waiting) look();
          },
        };
      },
    },
    authenticate: () => undefined,
    allowUnauthenticated: true,
    ...options,
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    target: `127.0.0.1:${port}`,
    port,
    ads,
    reports,
    nodes,
    closed,
    ends,
    publish(changeId, next) {
      snapshot = { changeId, config: next };
      for (const listener of listeners) listener(snapshot);
    },
    report(wanted) {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = reports.find(wanted);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
    async kill() {
      server.forceShutdown();
      await Promise.resolve();
    },
  };
}

/** A client in a test, with what it was given in order. */
export interface TestClient {
  readonly xds: XdsClient;
  readonly configs: ProxyConfig[];
  /** Resolves with the first configuration, past or future, that `wanted` takes. */
  config(wanted: (config: ProxyConfig) => boolean): Promise<ProxyConfig>;
}

export async function testClient(
  target: string,
  options: Partial<XdsClientOptions> & { judge?: (config: ProxyConfig) => ApplyResult } = {},
): Promise<TestClient> {
  const configs: ProxyConfig[] = [];
  const waiting = new Set<() => void>();
  const xds = createXdsClient({
    targets: [target],
    channel: () => ({ credentials: credentials.createInsecure() }),
    node: { id: 'node-1', extensions: ['tulle.http.authz@0.1.0'] },
    backoff: { baseMs: 5, maxMs: 20 },
    onConfig: async (next) => {
      const result = options.judge?.(next) ?? { ok: true };
      if (result.ok) configs.push(next);
      for (const look of waiting) look();
      return result;
    },
    ...options,
  });
  await xds.start();
  return {
    xds,
    configs,
    config(wanted) {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = configs.find(wanted);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
  };
}
