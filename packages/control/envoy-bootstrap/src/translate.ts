import { createHash } from 'node:crypto';
import { clone, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { Address, Cluster, Listener, Locality, ProxyConfig } from '@tulle/model';
import {
  createDecodeContext,
  createResourceDecoder,
  type FindSecret,
  type Fixed,
  type NodeDescription,
  proxyConfigOf,
  type ResourceDecoder,
} from '@tulle/xds-client';
import { BootstrapSchema } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import {
  type Listener as EnvoyListener,
  ListenerSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { readAuthorities } from './authorities.ts';
import { type Discovery, readDiscovery } from './discovery.ts';
import { under } from './field-path.ts';
import type { BootstrapIssue } from './issue.ts';
import { readInternalBuffer } from './internal-listeners.ts';
import { type NodeFlags, nodeOf } from './node-of.ts';
import { type BootstrapOverload, readOverload } from './overload.ts';
import { readTracer } from './tracer.ts';
import { checkProcessSettings, readAdmin } from './process-settings.ts';
import type { BootstrapText } from './read-bootstrap.ts';
import { missingClusters, uncheckedRoutes } from './references.ts';
import { readRuntime, runtimeKeys } from './runtime-layers.ts';
import { bootstrapTypes, openAny } from './types.ts';

/** How a bootstrap is translated. */
export interface TranslateOptions extends NodeFlags {
  /** Fields by full name that are read over although they are not honoured. Default none. */
  readonly tolerateFields?: readonly string[];
}

/** What a bootstrap asks for, in words of this proxy. */
export interface Translation {
  /** Everything that cannot be done, with its place. A translation with any is not to be used. */
  readonly issues: readonly BootstrapIssue[];
  /** What was taken although nothing comes of it; to be said once. */
  readonly notes: readonly string[];
  readonly node: NodeDescription;
  /** Where the admin interface is wanted; absent: nowhere. */
  readonly admin?: Address;
  /** The static resources. */
  readonly config: ProxyConfig;
  /** Absent: everything is static. */
  readonly discovery?: Discovery;
  /** File that is told of ejections (`cluster_manager.outlier_detection`). Absent: none. */
  readonly ejectionLog?: string;
  readonly overload?: BootstrapOverload;
  /** Bytes that may wait between the ends of a connection within the process (`InternalListener.buffer_size_kb`). Absent: as by default. */
  readonly internalBufferBytes?: number;
  /** Where the proxy is, and the static cluster that it is one of (`local_cluster_name`). Absent: nobody knows. */
  readonly zone?: { readonly locality?: Locality; readonly cluster: string };
  /**
   * What the engine says against {@link Translation.config}, in words of the bootstrap.
   * @param pointer JSON pointer into the configuration
   */
  locate(pointer: string, message: string): BootstrapIssue;
}

/** Translates a bootstrap that was read. Never throws; the message itself is not changed. */
export function translateBootstrap(text: BootstrapText, options: TranslateOptions = {}): Translation {
  const bootstrap = clone(BootstrapSchema, text.bootstrap);
  const issues: BootstrapIssue[] = [...text.issues];
  const notes: string[] = [];
  const note = (said: string): void => void (notes.includes(said) || notes.push(said));
  const refuse = (path: string, message: string): void => {
    if (!text.isDropped(path)) issues.push(text.locate(path, message));
  };
  const tolerated = new Set(options.tolerateFields);
  const context = createDecodeContext({ tolerated, allowUnknown: false }, ADS);
  const authorities = readAuthorities(bootstrap, context);
  const tracer = readTracer(bootstrap, context);
  const node = nodeOf(bootstrap.node, options);
  const ejectionLog = bootstrap.clusterManager?.outlierDetection?.eventLogPath ?? '';
  const decoder = createResourceDecoder({
    node,
    tolerateFields: [...tolerated],
    authorities,
    ...(tracer && { tracer }),
    ...(ejectionLog !== '' && { ejectionLog }),
  });

  checkProcessSettings(bootstrap, context, note);
  const internalBufferBytes = readInternalBuffer(bootstrap, context);
  const admin = readAdmin(bootstrap, context, note);
  const statics = bootstrap.staticResources;
  const secrets = new Map((statics?.secrets ?? []).map((secret) => [secret.name, secret]));
  const fixedSecrets: FindSecret = (name) => secrets.get(name);
  const listeners: Placed<Listener>[] = [];
  const clusters: Placed<Cluster>[] = [];
  for (const [index, listener] of (statics?.listeners ?? []).entries()) {
    const path = `static_resources.listeners[${index}]`;
    if (listener.name === '') listener.name = nameOf(listener);
    const read = decoded<Listener>(
      decoder,
      'listener',
      anyPack(ListenerSchema, listener),
      path,
      fixedSecrets,
      refuse,
    );
    if (read !== undefined) listeners.push({ ...read, path, index });
  }
  for (const [index, cluster] of (statics?.clusters ?? []).entries()) {
    const path = `static_resources.clusters[${index}]`;
    const read = decoded<Cluster>(
      decoder,
      'cluster',
      anyPack(ClusterSchema, cluster),
      path,
      fixedSecrets,
      refuse,
    );
    if (read !== undefined) clusters.push({ ...read, path, index });
  }
  refuseDuplicates(listeners, 'listener', refuse);
  refuseDuplicates(clusters, 'cluster', refuse);
  const resources = {
    listeners: listeners.map(({ resource }) => resource),
    clusters: clusters.map(({ resource }) => resource),
  };
  const allClusters = (statics?.clusters ?? []).map(({ name }) => ({ name }) as Cluster);
  const unchecked = listeners.map(({ index }) => {
    const listener = statics?.listeners[index];
    return listener === undefined ? new Set<string>() : uncheckedRoutes(listener);
  });
  for (const { listener, routeConfig, virtualHost, cluster } of missingClusters(
    {
      listeners: resources.listeners,
      clusters: allClusters, // one that was refused is there, and has been spoken of
    },
    (index, name) => unchecked[index]?.has(name) === true,
  ))
    refuse(
      `static_resources.listeners[${listeners[listener]?.index ?? 0}]`,
      `the virtual host ${JSON.stringify(virtualHost)} of the routes ${JSON.stringify(routeConfig)} names the cluster ${JSON.stringify(cluster)}, which static_resources.clusters does not have`,
    );
  const discovery = readDiscovery(
    bootstrap.dynamicResources,
    { listeners, clusters, secrets: [...secrets.values()] },
    authorities,
    tracer,
    context,
  );
  if (discovery !== undefined) {
    if (node.id === '')
      refuse('node.id', 'is missing: a management server has to know who asks; or give --service-node');
    if (node.cluster === '')
      refuse(
        'node.cluster',
        'is missing: a management server has to know who asks; or give --service-cluster',
      );
  }
  const zone = readZone(bootstrap.clusterManager?.localClusterName ?? '', node, allClusters, refuse);
  const keys = statics === undefined ? new Set<string>() : runtimeKeys(BootstrapSchema, bootstrap, open);
  const runtime = readRuntime(bootstrap.layeredRuntime, keys, refuse, note);
  const overload = withConnections(
    readOverload(bootstrap.overloadManager, refuse, note),
    runtime.maxDownstreamConnections,
  );
  for (const { path, message } of context.issues) refuse(path, message);
  return {
    issues,
    notes,
    node,
    ...(admin && { admin }),
    config: proxyConfigOf(resources, versionOf(toBinary(BootstrapSchema, bootstrap))),
    ...(discovery && { discovery }),
    ...(ejectionLog !== '' && { ejectionLog }),
    ...(overload && { overload }),
    ...(internalBufferBytes !== undefined && { internalBufferBytes }),
    ...(zone && { zone }),
    locate(pointer, message) {
      const [, kind = '', at = ''] = /^\/(listeners|clusters)\/(\d+)(?:\/|$)/.exec(pointer) ?? [];
      const named = kind === 'listeners' ? listeners : clusters;
      // The configuration has its resources by name.
      const index = named.toSorted((a, b) => (a.resource.name < b.resource.name ? -1 : 1))[Number(at)]?.index;
      const rest = pointer.slice(`/${kind}/${at}`.length);
      if (kind === '' || index === undefined) return text.locate('', `${message} (${pointer})`);
      return text.locate(
        `static_resources.${kind}[${index}]`,
        rest === '' ? message : `${message} (${rest.slice(1)})`,
      );
    },
  };
}

/** The cluster that the proxy itself is an endpoint of. */
function readZone(
  cluster: string,
  { locality: given }: NodeDescription,
  clusters: readonly Pick<Cluster, 'name'>[],
  refuse: (path: string, message: string) => void,
): Translation['zone'] {
  if (cluster === '') return undefined;
  if (!clusters.some(({ name }) => name === cluster))
    refuse(
      'cluster_manager.local_cluster_name',
      `${JSON.stringify(cluster)} is none of static_resources.clusters`,
    );
  return { cluster, ...(given && { locality: { ...given, region: given.region ?? '' } }) };
}

/** A decoded resource with its place. */
type Placed<Model> = Fixed<Model> & { readonly path: string; readonly index: number };

/** What `self` means in a static resource, where a server gives it nothing. */
const ADS = { kind: 'ads' } as const;

function decoded<Model extends Listener | Cluster>(
  decoder: ResourceDecoder,
  kind: Model extends Listener ? 'listener' : 'cluster',
  any: Any,
  path: string,
  fixedSecrets: FindSecret,
  refuse: (path: string, message: string) => void,
): Fixed<Model> | undefined {
  const result = decoder.decode(kind, any, ADS, { secret: fixedSecrets });
  if (result.ok)
    return {
      resource: result.resource as Model,
      needs: result.needs,
      ...(result.sources.length > 0 && { sources: result.sources }),
      fill: ({ secret, extension }) =>
        decoder.decode(kind, any, ADS, {
          secret: (name) => secret?.(name) ?? fixedSecrets(name),
          ...(extension && { extension }),
        }),
    };
  for (const issue of result.issues) refuse(under(path, issue.path), issue.message);
  return undefined;
}

function refuseDuplicates(
  resources: readonly { readonly resource: { readonly name: string }; readonly index: number }[],
  kind: 'listener' | 'cluster',
  refuse: (path: string, message: string) => void,
): void {
  const seen = new Set<string>();
  for (const { resource, index } of resources) {
    if (seen.has(resource.name))
      refuse(
        `static_resources.${kind}s[${index}].name`,
        `there is a ${kind} ${JSON.stringify(resource.name)} already`,
      );
    seen.add(resource.name);
  }
}

/** Envoy makes a name up for a listener without one; this one stays the same from start to start. */
function nameOf({ address }: EnvoyListener): string {
  const where = address?.address;
  if (where?.case === 'pipe') return where.value.path;
  if (where?.case !== 'socketAddress') return 'listener';
  const { address: host, portSpecifier: port } = where.value;
  return `${host}_${port.case === 'portValue' ? port.value : 0}`;
}

function open(any: Message): { readonly desc: DescMessage; readonly message: Message } | undefined {
  const message = openAny(any as Any);
  const desc = message && bootstrapTypes.getMessage(message.$typeName);
  return message === undefined || desc === undefined ? undefined : { desc, message };
}

function withConnections(
  overload: BootstrapOverload | undefined,
  maxDownstreamConnections: number | undefined,
): BootstrapOverload | undefined {
  if (maxDownstreamConnections === undefined) return overload;
  return { ...overload, limits: { downstreamConnections: maxDownstreamConnections, ...overload?.limits } };
}

/** Names a configuration by what it says. */
function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
