import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { parse } from 'yaml';
import { resourceTypes } from '../../src/decode/resource.ts';
import { type ResourceKind, TYPE_URLS } from '../../src/wire.ts';

/** A resource that is taken. */
export interface Seed {
  readonly kind: ResourceKind;
  readonly any: Any;
}

/** Configurations as people write them, which the program's own tests start. */
const CONFIGS = join(import.meta.dirname, '../../../../../apps/proxy/tests/configs');

/** Resources of the corpus, and those of `seeds.yaml`. What Tulle's own control plane sends is what the round trip proves. */
export function seeds(): readonly Seed[] {
  return [...own(), ...ofCorpus()];
}

/** What they hold that nothing is made of here has no schema here either: such resources are passed over. */
function ofCorpus(): Seed[] {
  return globSync('*.yaml', { cwd: CONFIGS })
    .toSorted()
    .flatMap((file) => {
      const config = read(join(CONFIGS, file)) as { readonly static_resources?: Lists };
      const { listeners, clusters, secrets } = config.static_resources ?? {};
      return [...made('listener', listeners), ...made('cluster', clusters), ...made('secret', secrets)];
    });
}

interface Lists {
  readonly [list: string]: readonly JsonObject[] | undefined;
}

function own(): Seed[] {
  const {
    http_filters: filters,
    listeners,
    routes,
    clusters,
  } = read(join(import.meta.dirname, 'seeds.yaml')) as Lists;
  return [
    ...made('listener', filters?.map(withFilter)),
    ...made('listener', listeners),
    ...made('route', routes),
    ...made('cluster', clusters),
  ];
}

function read(file: string): unknown {
  return parse(readFileSync(file, 'utf8'), { merge: true, logLevel: 'silent' });
}

function made(kind: ResourceKind, list: readonly JsonValue[] = []): Seed[] {
  const url = TYPE_URLS[kind];
  const desc = resourceTypes.getMessage(url.slice(url.lastIndexOf('/') + 1));
  if (desc === undefined) throw new Error(`no schema of ${url}`);
  return list.flatMap((json) => {
    // TypedStruct and filters without effect have types that only a bootstrap's reader knows.
    if (JSON.stringify(json).includes('grpc_stats')) return [];
    return [{ kind, any: anyPack(desc, fromJson(desc, json, { registry: resourceTypes })) }];
  });
}

const PACKAGE = 'type.googleapis.com/envoy.extensions.filters';

function withFilter(filter: JsonObject): JsonObject {
  return {
    name: 'l',
    address: { socket_address: { address: '127.0.0.1', port_value: 80 } },
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: {
              '@type': `${PACKAGE}.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'a',
              route_config: {
                name: 'r',
                virtual_hosts: [
                  {
                    name: 'a',
                    domains: ['*'],
                    routes: [{ match: { prefix: '/' }, route: { cluster: 'a' } }],
                  },
                ],
              },
              http_filters: [
                { name: 'f', typed_config: filter },
                { name: 'router', typed_config: { '@type': `${PACKAGE}.http.router.v3.Router` } },
              ],
            },
          },
        ],
      },
    ],
  };
}
