import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  encodeResource,
  type ResourceKind as EncodedKind,
  type ResourceModels,
  versionOf,
} from '@tulle/xds-server';
import { ClusterDiscoveryService } from '@tulle/xds-proto/envoy/service/cluster/v3/cds';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
  ResourceSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { EndpointDiscoveryService } from '@tulle/xds-proto/envoy/service/endpoint/v3/eds';
import { ExtensionConfigDiscoveryService } from '@tulle/xds-proto/envoy/service/extension/v3/config_discovery';
import { ListenerDiscoveryService } from '@tulle/xds-proto/envoy/service/listener/v3/lds';
import {
  RouteDiscoveryService,
  VirtualHostDiscoveryService,
} from '@tulle/xds-proto/envoy/service/route/v3/rds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { ScopedRoutesDiscoveryService } from '@tulle/xds-proto/envoy/service/route/v3/srds';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { byKind, type ResourceKind, TYPE_URLS } from '../src/wire.ts';

/** A server with a service for each type, as simple as can be: whoever asks gets what there is, and again when it changes. */
export interface TypeServer {
  readonly port: number;
  /** One entry a stream, e.g. `route delta`, in order. */
  readonly opened: string[];
  /** Messages of NACKs. */
  readonly nacks: string[];
  /** Whether the name of route configuration stands for all virtual hosts of it. Default true. */
  namespaces: boolean;
  /** What only those get who ask for it by name. */
  readonly hidden: Set<string>;
  put<Kind extends EncodedKind>(kind: Kind, resource: ResourceModels[Kind]): void;
  putAny(kind: ResourceKind, name: string, any: Any): void;
  remove(kind: ResourceKind, name: string): void;
  kill(): void;
}

type Held = Map<string, Any>;

export async function startTypeServer(port: number = 0, from?: TypeServer): Promise<TypeServer> {
  const held: Record<ResourceKind, Held> =
    from === undefined
      ? byKind<Record<ResourceKind, Held>>(() => new Map())
      : (from as TypeServer & { held: Record<ResourceKind, Held> }).held;
  const opened: string[] = [];
  const nacks: string[] = [];
  const tellers = byKind<Record<ResourceKind, Set<() => void>>>(() => new Set());
  const server = new Server();

  function world(kind: ResourceKind) {
    return (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void => {
      opened.push(`${kind} world`);
      let names: readonly string[] = [];
      let nonce = 0;
      const tell = (): void => {
        const all = [...held[kind]].filter(([name]) => names.length === 0 || names.includes(name));
        call.write(
          create(DiscoveryResponseSchema, {
            typeUrl: TYPE_URLS[kind],
            nonce: String(++nonce),
            versionInfo: `v${nonce}`,
            resources: all.map(([, any]) => any),
          }),
        );
      };
      call.on('data', (request: DiscoveryRequest) => {
        if (request.errorDetail) nacks.push(request.errorDetail.message);
        const more = request.resourceNames.some((name) => !names.includes(name));
        names = request.resourceNames;
        if (request.responseNonce === '' || more) tell();
      });
      follow(kind, call, tell);
    };
  }

  function delta(kind: ResourceKind) {
    return (call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void => {
      opened.push(`${kind} delta`);
      const wanted = new Set<string>();
      const sent = new Map<string, string>();
      /** Asked for by no name at first, or by `*`. */
      let wildcard = false;
      const all = (): boolean => wildcard || wanted.has('*');
      const told = new Set<string>();
      /** Names that were asked for and that nobody has: each is said once. */
      const unknown = (): string[] => {
        const news = [...wanted].filter(
          (name) => isDemanded(kind, name) && !held[kind].has(name) && !told.has(name),
        );
        for (const name of news) told.add(name);
        return news;
      };
      let nonce = 0;
      const tell = (): void => {
        const chosen = [...held[kind]].filter(
          ([name]) =>
            wanted.has(name) ||
            (all() && !made.hidden.has(name)) ||
            (kind === 'virtual-host' &&
              made.namespaces &&
              [...wanted].some((one) => name.startsWith(`${one}/`))) ||
            [...wanted].some((one) => one.endsWith('/*') && name.startsWith(one.slice(0, -1))),
        );
        const news = chosen.filter(([name, any]) => sent.get(name) !== versionOf(any.value));
        const gone = [...sent.keys(), ...unknown()].filter((name) => !held[kind].has(name));
        if (news.length + gone.length === 0 && nonce > 0) return;
        for (const [name, any] of news) sent.set(name, versionOf(any.value));
        for (const name of gone) sent.delete(name);
        call.write(
          create(DeltaDiscoveryResponseSchema, {
            typeUrl: TYPE_URLS[kind],
            nonce: String(++nonce),
            resources: news.map(([name, any]) =>
              create(ResourceSchema, { name, version: versionOf(any.value), resource: any }),
            ),
            removedResources: gone,
          }),
        );
      };
      call.on('data', (request: DeltaDiscoveryRequest) => {
        if (request.errorDetail) nacks.push(request.errorDetail.message);
        if (nonce === 0 && request.resourceNamesSubscribe.length === 0)
          wildcard = kind === 'listener' || kind === 'cluster' || kind === 'scoped-route';
        for (const name of request.resourceNamesSubscribe) wanted.add(name);
        for (const name of request.resourceNamesUnsubscribe) wanted.delete(name);
        for (const [name, version] of Object.entries(request.initialResourceVersions))
          sent.set(name, version);
        if (request.responseNonce === '' || request.resourceNamesSubscribe.length > 0) tell();
      });
      follow(kind, call, tell);
    };
  }

  function follow(kind: ResourceKind, call: ServerDuplexStream<unknown, unknown>, tell: () => void): void {
    tellers[kind].add(tell);
    const stop = (): void => void tellers[kind].delete(tell);
    call.on('end', () => {
      stop();
      call.end();
    });
    call.on('cancelled', stop).on('error', stop);
  }

  const add = (service: Parameters<typeof grpcService>[0], handlers: Record<string, unknown>): void => {
    const definition = Object.fromEntries(
      Object.entries(grpcService(service)).filter(([name]) => name in handlers),
    );
    server.addService(definition, handlers as never);
  };
  add(ClusterDiscoveryService, { streamClusters: world('cluster'), deltaClusters: delta('cluster') });
  add(EndpointDiscoveryService, { streamEndpoints: world('endpoint'), deltaEndpoints: delta('endpoint') });
  add(ListenerDiscoveryService, { streamListeners: world('listener'), deltaListeners: delta('listener') });
  add(RouteDiscoveryService, { streamRoutes: world('route'), deltaRoutes: delta('route') });
  add(ExtensionConfigDiscoveryService, {
    streamExtensionConfigs: world('extension'),
    deltaExtensionConfigs: delta('extension'),
  });
  add(VirtualHostDiscoveryService, { deltaVirtualHosts: delta('virtual-host') });
  add(ScopedRoutesDiscoveryService, {
    streamScopedRoutes: world('scoped-route'),
    deltaScopedRoutes: delta('scoped-route'),
  });
  add(SecretDiscoveryService, { streamSecrets: world('secret'), deltaSecrets: delta('secret') });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    );
  });
  const tellAll = (kind: ResourceKind): void => {
    for (const tell of tellers[kind]) tell();
  };
  const made: TypeServer & { held: Record<ResourceKind, Held> } = {
    held,
    port: bound,
    opened,
    nacks,
    namespaces: true,
    hidden: new Set(),
    put(kind, resource) {
      made.putAny(kind, resource.name, encodeResource(kind, resource));
    },
    putAny(kind, name, any) {
      held[kind].set(name, any);
      tellAll(kind);
    },
    remove(kind, name) {
      held[kind].delete(name);
      tellAll(kind);
    },
    kill: () => server.forceShutdown(),
  };
  return made;
}

/** Kinds of which a server says that it has none: of others it says nothing until there is one. */
function isDemanded(kind: ResourceKind, name: string): boolean {
  return kind === 'cluster'
    ? name !== '*' && !name.endsWith('/*')
    : kind === 'virtual-host' && name.includes('/');
}
