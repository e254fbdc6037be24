import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createXdsServer, type ResourceInput, type XdsServer } from '@tulle/xds-server';
import { startOrigin } from '../mesh.ts';
import { rawBootstrap, type RawProtocol, singleSource } from '../raw/bootstrap.ts';
import type { StartProxy } from '../raw/proxies.ts';

const PREFIX = 'type.googleapis.com/';
/** A message with its type, as JSON. */
export const typed = (type: string, fields: object): ResourceInput => ({ '@type': PREFIX + type, ...fields });

/** Under which id every proxy asks. */
export const NODE = 'one';

/** How a proxy is told: by ADS, or each type over a stream of its own. */
export interface Way {
  readonly protocol: RawProtocol;
  readonly single: boolean;
}

/** Every way. */
export const WAYS: readonly Way[] = (['delta', 'state-of-the-world'] as const).flatMap((protocol) =>
  [false, true].map((single) => ({ protocol, single })),
);

/** For people. */
export const wayText = ({ protocol, single }: Way): string =>
  `${protocol}, ${single ? 'each type over a stream of its own' : 'over ADS'}`;

/** The source that resources of the way name. */
export const sourceOf = ({ protocol, single }: Way): object =>
  single ? singleSource(protocol) : { ads: {}, resource_api_version: 'V3' };

/** A bootstrap as JSON, to be changed. */
export interface BootstrapJson {
  dynamic_resources: Record<string, unknown>;
  [field: string]: unknown;
}

/** A raw xDS server, two origins that say their name, and a proxy that is told by the server. */
export interface Setting {
  readonly server: XdsServer;
  /** Ports of the origins `a` and `b`. */
  readonly origins: readonly [number, number];
  /** Starts the proxy. @param change of the bootstrap */
  start(change?: (bootstrap: BootstrapJson) => void): Promise<void>;
  /** A page of its admin interface. */
  admin(path: string): Promise<string>;
}

/** Runs with a setting of its own; all of it ends with it. */
export async function withSetting<T>(
  startProxy: StartProxy,
  way: Way,
  run: (setting: Setting) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'trp-')); // short: sockets lie below it
  const server = await createXdsServer();
  const origins = await Promise.all(
    ['a', 'b'].map(async (name) => startOrigin((_, response) => response.end(name))),
  );
  const undo: (() => Promise<void>)[] = [];
  try {
    return await run({
      server,
      origins: origins.map(({ port }) => port) as [number, number],
      async start(change) {
        const bootstrap = structuredClone(
          rawBootstrap({ target: server.target, node: NODE, ...way, loadReports: false }),
        ) as BootstrapJson;
        change?.(bootstrap);
        const file = join(directory, 'bootstrap.json');
        await writeFile(file, JSON.stringify(bootstrap));
        const proxy = await startProxy(file, directory);
        undo.push(async () => proxy.stop());
      },
      async admin(path) {
        const address = await readFile(join(directory, 'admin'), 'utf8');
        return (
          await fetch(`http://${address.trim()}${path}`, { signal: AbortSignal.timeout(5_000) })
        ).text();
      },
    });
  } finally {
    for (const step of undo) await step();
    await server.close();
    for (const origin of origins) origin.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A cluster at one port of loopback. */
export const cluster = (name: string, port: number, more: object = {}): ResourceInput =>
  typed('envoy.config.cluster.v3.Cluster', {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
          ],
        },
      ],
    },
    ...more,
  });

/** Routes that lead everything to a cluster. */
export const routes = (name: string, to: string): ResourceInput =>
  typed('envoy.config.route.v3.RouteConfiguration', {
    name,
    virtual_hosts: [
      { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: to } }] },
    ],
  });

/** An HTTP listener. @param where its routes are: `rds`, `scoped_routes`, … */
export const listener = (name: string, port: number, where: object): ResourceInput =>
  typed('envoy.config.listener.v3.Listener', {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: typed(
              'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              {
                stat_prefix: name,
                ...where,
                http_filters: [
                  {
                    name: 'router',
                    typed_config: typed('envoy.extensions.filters.http.router.v3.Router', {}),
                  },
                ],
              },
            ),
          },
        ],
      },
    ],
  });

/** Asks over a connection of its own. @returns status, and what an origin said where it is 200 */
export async function ask(port: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      { host: '127.0.0.1', port, path: '/', headers, agent: false, timeout: 5_000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        response.on('error', reject);
        response.on('end', () =>
          resolve(response.statusCode === 200 ? `200 ${body}` : String(response.statusCode)),
        );
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
    asked.on('error', reject);
    asked.end();
  });
}
