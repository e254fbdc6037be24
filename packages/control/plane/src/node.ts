import { isIP } from 'node:net';
import { TulleError } from '@tulle/filter';
import type { Locality } from '@tulle/model';
import {
  APP_PROTOCOLS,
  FILTER_PHASES,
  type FilterPhase,
  type AppProtocol,
  type Workload,
} from '@tulle/resources';
import type { NodeInfo } from '@tulle/xds-server';
import { readCapture, type CaptureMetadata, type NodeCapture } from './node-capture.ts';
import { readHbone, type HboneMetadata, type NodeHbone } from './node-hbone.ts';
import { readPlaintext, type PlaintextReport } from './plaintext-report.ts';

/** A port of the application beside a sidecar. */
export interface NodePort {
  readonly port: number;
  readonly name?: string;
  readonly appProtocol?: AppProtocol;
  /** Where the sidecar takes calls for it; default: `inbound.port`. */
  readonly inboundPort?: number;
}

/** A Service that the application calls, and where it finds it. */
export interface NodeUpstream {
  /** `name` in the workload's namespace, or `name.namespace`. */
  readonly service: string;
  /** Default: the Service's first port. */
  readonly servicePort?: number;
  readonly localPort: number;
  /** Default `127.0.0.1`. */
  readonly address?: string;
}

/** What a joining sidecar says of itself in `Node.metadata`. */
export interface SidecarMetadata {
  readonly workload: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Default: the workload's name (decision D14). */
  readonly serviceAccount?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Numbers, or more. None: the workload only calls. */
  readonly ports?: readonly (number | NodePort)[];
  /** Where the sidecar takes calls of the mesh. */
  readonly inbound?: { readonly address?: string; readonly port: number };
  /**
   * Where others reach it, when that is not `inbound`: behind a port mapping, a load balancer or a relay. An IP address;
   * the port only with a single port. Default `inbound`.
   */
  readonly advertise?: { readonly address?: string; readonly port?: number };
  /** False: its application does not take calls yet, so that it is no endpoint. Default true. */
  readonly ready?: boolean;
  readonly upstreams?: readonly NodeUpstream[];
  /** Its proxy is its node's, and it is reached by tunnels; `inbound.address` is its own. */
  readonly hbone?: HboneMetadata;
  /** The process serves the Gateway of its service account's name. */
  readonly gateway?: GatewayMetadata;
  /** Connections of the application are led to it by the kernel. */
  readonly capture?: CaptureMetadata;
  /** Tells instances of one workload apart. Default: from the node id. */
  readonly instance?: string;
  /** What it does beside identity, for status. */
  readonly capabilities?: readonly string[];
  /**
   * What it sends again: `default` what the retry filter's defaults say where nobody says otherwise; `asked` only what a
   * route or policy asks for, and else its chains have no retry filter. Default `default`.
   */
  readonly retries?: 'default' | 'asked';
  /** Phases of filters that do not ship with Tulle, as their own definitions say, by id. */
  readonly filterPhases?: Readonly<Record<string, FilterPhase>>;
  /** Who came in plain text to ports that take it beside mutual TLS; said anew when it changes (decision 014). */
  readonly plaintext?: readonly PlaintextReport[];
}

/** What the process of a Gateway says of itself. */
export interface GatewayMetadata {
  /** Where it listens. Default `127.0.0.1`. */
  readonly address?: string;
  /** Ports of the Gateway that it serves elsewhere: behind a port mapping, or without the right to low ports. By the Gateway's port. */
  readonly ports?: Readonly<Record<string, { readonly address?: string; readonly port: number }>>;
  /** The certificates that it has; keys stay there (decision D14). */
  readonly certificates?: {
    /** Absolute path. A certificate is `<directory>/<namespace>/<name>/tls.crt`, its key `tls.key`. */
    readonly directory: string;
    /** `namespace/name`. */
    readonly names: readonly string[];
  };
}

/** {@link GatewayMetadata}, read. */
export interface NodeGateway {
  readonly address: string;
  readonly ports: ReadonlyMap<number, { readonly address: string; readonly port: number }>;
  readonly certificateDirectory: string;
  readonly certificates: ReadonlySet<string>;
}

/** A joined proxy. */
export interface ProxyNode {
  /** Node id: the key in status. */
  readonly id: string;
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it listens. */
  readonly address: string;
  /** Where others reach it. */
  readonly advertised: { readonly address: string; readonly port: number | undefined };
  readonly ready: boolean;
  readonly locality: Locality | undefined;
  readonly ports: readonly (NodePort & { readonly inboundPort: number })[];
  readonly upstreams: readonly (NodeUpstream & Required<Pick<NodeUpstream, 'localPort' | 'address'>>)[];
  /** It gets what its application calls from the kernel. */
  readonly capture: NodeCapture | undefined;
  /** Its proxy is its node's. */
  readonly hbone: NodeHbone | undefined;
  /**
   * A program with gRPC's own xDS (proxyless): it asks by name for what it calls, its ports are its server's, and a process
   * may have several streams.
   */
  readonly grpc: boolean;
  /** It is an Envoy, or its like: what Envoy has no words for it is not told. */
  readonly foreign: boolean;
  /** It serves a Gateway. */
  readonly gateway: NodeGateway | undefined;
  readonly plaintext: readonly PlaintextReport[];
  /** Name of its Workload resource. */
  readonly instanceName: string;
  /** Filter ids that it has. */
  readonly filters: ReadonlySet<string>;
  /** Where they run when a policy names no phase, by id; of those that do not ship with Tulle. */
  readonly filterPhases: ReadonlyMap<string, FilterPhase>;
  /** The same as one text: equal for proxies with equal filters. */
  readonly filterSet: string;
  /** What it does beside identity, in its own words; undefined where it does not say. */
  readonly capabilities: readonly string[] | undefined;
  readonly retries: 'default' | 'asked';
  readonly identity: string | undefined;
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/**
 * Reads and checks what a node says of itself.
 * @throws TulleError `TULLE_CONFIG_INVALID` naming every field that is wrong; `TULLE_PEER_REFUSED` when it claims a
 *   workload that its identity does not prove (decision D14)
 */
export function readProxyNode(node: NodeInfo, trustDomain: string): ProxyNode {
  const issues: { path: string; message: string }[] = [];
  const meta = node.metadata;
  const wrong = (path: string, message: string): void => void issues.push({ path, message });
  const name = (field: string, otherwise?: string): string => {
    const value = meta[field] ?? otherwise;
    if (typeof value === 'string' && LABEL.test(value) && value.length <= 63) return value;
    wrong(
      `/${field}`,
      `must be a name of lower-case letters, digits and dashes, not ${JSON.stringify(value)}`,
    );
    return '';
  };
  const port = (value: unknown, path: string): number => {
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535)
      return value as number;
    wrong(path, `must be a port between 1 and 65535, not ${JSON.stringify(value)}`);
    return 0;
  };
  const listOf = (field: string): readonly unknown[] => {
    const value = meta[field] ?? [];
    if (Array.isArray(value) && value.length <= 1000) return value;
    wrong(`/${field}`, 'must be a list of at most 1000 entries');
    return [];
  };
  const workload = name('workload');
  const namespace = name('namespace', 'default');
  const serviceAccount = name('serviceAccount', workload);
  const inbound = record(meta['inbound']);
  const grpc = node.seat === 'grpc';
  const labels = Object.fromEntries(
    Object.entries(record(meta['labels']) ?? {}).map(([k, v]) => [k, String(v)]),
  );
  const hbone = readHbone(meta['hbone'], namespace, wrong);
  const ports = listOf('ports').map((entry, i) => {
    const given = record(entry) ?? { port: entry };
    const appProtocol = APP_PROTOCOLS.find((one) => one === given['appProtocol']);
    // By a tunnel every port is reached as it is; a gRPC server takes the mesh's calls where it listens.
    const elsewhere = given['inboundPort'] ?? inbound?.['port'] ?? (grpc ? given['port'] : undefined);
    const inboundPort = hbone === undefined ? elsewhere : given['port'];
    return {
      port: port(given['port'], `/ports/${i}`),
      inboundPort: port(inboundPort, '/inbound/port'),
      ...(typeof given['name'] === 'string' ? { name: given['name'] } : {}),
      ...(appProtocol === undefined ? {} : { appProtocol }),
    };
  });
  if (new Set(ports.map((p) => p.inboundPort)).size < ports.length)
    wrong('/ports', 'each port needs an inboundPort of its own');
  const address = typeof inbound?.['address'] === 'string' ? inbound['address'] : '127.0.0.1';
  const advertise = record(meta['advertise']);
  const advertised = {
    address: typeof advertise?.['address'] === 'string' ? advertise['address'] : address,
    port: advertise?.['port'] === undefined ? undefined : port(advertise['port'], '/advertise/port'),
  };
  if (ports.length > 0 && (isIP(advertised.address) === 0 || /^(?:0\.0\.0\.0|::)$/.test(advertised.address)))
    wrong(
      '/advertise/address',
      `must be an IP address at which others reach it, not ${JSON.stringify(advertised.address)}`,
    );
  if (ports.length > 1 && advertised.port !== undefined)
    wrong('/advertise/port', `is one port, but the workload has ${ports.length}; leave it out`);
  const upstreams = listOf('upstreams').map((entry, i) => {
    const given = record(entry) ?? {};
    const service = given['service'];
    if (
      typeof service !== 'string' ||
      !service.split('.').every((part) => LABEL.test(part)) ||
      service.split('.').length > 2
    )
      wrong(
        `/upstreams/${i}/service`,
        `must be a Service's name or name.namespace, not ${JSON.stringify(service)}`,
      );
    return {
      service: String(service),
      localPort: port(given['localPort'], `/upstreams/${i}/localPort`),
      address: typeof given['address'] === 'string' ? given['address'] : '127.0.0.1',
      ...(given['servicePort'] === undefined
        ? {}
        : { servicePort: port(given['servicePort'], `/upstreams/${i}/servicePort`) }),
    };
  });
  if (hbone !== undefined && (upstreams.length > 0 || meta['gateway'] !== undefined))
    wrong('/hbone', 'stands alone: what a node proxy serves has neither upstreams nor a gateway');
  const gateway = meta['gateway'] === undefined ? undefined : readGateway(record(meta['gateway']), wrong);
  if (grpc && (gateway !== undefined || upstreams.length > 0))
    wrong(
      gateway === undefined ? '/upstreams' : '/gateway',
      'is for proxies; a gRPC program asks for what it calls by xds:///name.namespace:port',
    );
  if (gateway !== undefined && (ports.length > 0 || upstreams.length > 0))
    wrong('/gateway', 'stands alone: the process of a Gateway has neither ports nor upstreams');
  const capture = readCapture(meta['capture'], namespace, wrong);
  const filterPhases = new Map<string, FilterPhase>();
  for (const [id, phase] of Object.entries(record(meta['filterPhases']) ?? {}).slice(0, 1000)) {
    const known = FILTER_PHASES.find((one) => one === phase);
    if (known === undefined)
      wrong(
        `/filterPhases/${id}`,
        `must be one of ${FILTER_PHASES.join(', ')}, not ${JSON.stringify(phase)}`,
      );
    else filterPhases.set(id, known);
  }
  const plaintext = readPlaintext(meta['plaintext'], wrong);
  const retries = meta['retries'] ?? 'default';
  if (retries !== 'default' && retries !== 'asked')
    wrong('/retries', `must be default or asked, not ${JSON.stringify(retries)}`);
  if (issues.length > 0)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `node ${node.id}: ${issues.map((x) => `metadata${x.path} ${x.message}`).join('; ')}`,
      { issues },
    );
  const proven = `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  if (node.identity !== undefined && node.identity !== proven)
    throw new TulleError(
      'TULLE_PEER_REFUSED',
      `the node says it is ${proven}, but proved to be ${node.identity}; join with a token for that namespace and service account`,
    );
  const instance = typeof meta['instance'] === 'string' ? meta['instance'] : (node.id.split('~')[1] ?? '0');
  const suffix =
    instance
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60) || '0';
  const filters = new Set(node.extensions.map((e) => e.replace(/(?<=.)@[^@]*$/, '')));
  return {
    id: node.id,
    workload,
    namespace,
    serviceAccount,
    labels,
    ports,
    upstreams,
    capture,
    address,
    advertised,
    // A gRPC server says so by taking its listener.
    ready: !grpc && meta['ready'] !== false,
    locality: node.locality,
    hbone,
    grpc,
    foreign: !grpc && node.userAgent.toLowerCase().startsWith('envoy'),
    gateway,
    plaintext,
    // Begins with the account, so that no other identity can want the same name.
    instanceName:
      workload === serviceAccount ? `${workload}.${suffix}` : `${serviceAccount}.${workload}-${suffix}`,
    filters,
    filterPhases,
    filterSet: [...filters].sort().join(' '),
    capabilities: meta['capabilities'] === undefined ? undefined : listOf('capabilities').map(String),
    retries: grpc || retries === 'asked' ? 'asked' : 'default',
    identity: node.identity,
  };
}

/** Whether two say the same but for what they report, on which no configuration depends. */
export function isSameNode(a: ProxyNode, b: ProxyNode): boolean {
  const text = (node: ProxyNode): string =>
    JSON.stringify({
      ...node,
      plaintext: [],
      filters: node.filterSet,
      filterPhases: [...node.filterPhases],
      gateway: node.gateway && {
        ...node.gateway,
        ports: [...node.gateway.ports],
        certificates: [...node.gateway.certificates],
      },
    });
  return text(a) === text(b);
}

/** Whether two make the same Workload, whatever they say of it. */
export function isSameWorkload(a: ProxyNode, b: ProxyNode): boolean {
  return a.namespace === b.namespace && a.instanceName === b.instanceName;
}

/** Certificates that a node may name. Enough for any Gateway, whose listeners are at most 64. */
const MAX_CERTIFICATES = 10_000;

function readGateway(
  given: Record<string, unknown> | undefined,
  wrong: (path: string, message: string) => void,
): NodeGateway {
  const address = (value: unknown, path: string, otherwise: string): string => {
    if (value === undefined) return otherwise;
    if (typeof value === 'string' && isIP(value) !== 0) return value;
    wrong(path, `must be an IP address, not ${JSON.stringify(value)}`);
    return otherwise;
  };
  const isPort = (port: unknown): port is number =>
    Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535;
  const own = address(given?.['address'], '/gateway/address', '127.0.0.1');
  const ports = new Map<number, { address: string; port: number }>();
  for (const [key, value] of Object.entries(record(given?.['ports']) ?? {})) {
    const at = record(value);
    const port = at?.['port'];
    if (!isPort(Number(key)) || !isPort(port)) {
      wrong(`/gateway/ports/${key}`, `must lead from a port to a port, not ${JSON.stringify(value)}`);
      continue;
    }
    ports.set(Number(key), { address: address(at?.['address'], `/gateway/ports/${key}/address`, own), port });
  }
  const certificates = record(given?.['certificates']);
  const directory = certificates?.['directory'] ?? '/';
  const names = certificates?.['names'] ?? [];
  if (typeof directory !== 'string' || !directory.startsWith('/'))
    wrong('/gateway/certificates/directory', 'must be an absolute path');
  if (!Array.isArray(names) || names.length > MAX_CERTIFICATES)
    wrong('/gateway/certificates/names', `must be a list of at most ${MAX_CERTIFICATES} names`);
  return {
    address: own,
    ports,
    certificateDirectory: typeof directory === 'string' ? directory : '/',
    certificates: new Set(
      Array.isArray(names) ? names.slice(0, MAX_CERTIFICATES).filter((name) => typeof name === 'string') : [],
    ),
  };
}

/** The Workload resource of a joined proxy; `undefined` for one that only calls, or is not ready. */
export function workloadOfNode(node: ProxyNode, health: 'healthy' | 'unhealthy'): Workload | undefined {
  const [first] = node.ports;
  if (first === undefined || !node.ready) return undefined;
  const { address, port } = node.advertised;
  return {
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name: node.instanceName, namespace: node.namespace, labels: node.labels },
    spec: {
      address,
      ports: port === undefined ? node.ports : [{ ...first, inboundPort: port }],
      inbound:
        node.hbone === undefined
          ? { mode: 'sidecar', port: port ?? first.inboundPort }
          : { mode: 'hbone', port: node.hbone.port },
      serviceAccount: node.serviceAccount,
      ...(node.locality === undefined ? {} : { locality: node.locality }),
      ...(health === 'healthy' ? {} : { health }),
    },
  };
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
