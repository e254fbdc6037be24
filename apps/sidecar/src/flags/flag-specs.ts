import { CAPABILITIES, PROFILES } from '../capabilities.ts';
import { DRAIN_FLAGS } from './drain-flags.ts';

/** How a flag is written and what it means; `tulle` and `tulle-sidecar` read the same. */
export interface FlagSpec {
  readonly type: 'string' | 'boolean' | 'number' | 'list';
  readonly short?: string;
  /** Placeholder of its value, upper case. */
  readonly value?: string;
  readonly help: string;
  readonly defaultText?: string;
  readonly choices?: readonly string[];
  /** Environment variable that stands in for it; a list's values are separated by commas there. */
  readonly env?: string;
  readonly required?: boolean;
}

type Of<Type extends FlagSpec['type']> = FlagSpec & { readonly type: Type };

type ValueOf<S extends FlagSpec> = S['type'] extends 'boolean'
  ? boolean
  : S['type'] extends 'list'
    ? readonly string[]
    : | (S['type'] extends 'number' ? number : string)
      | (S extends { readonly required: true } ? never : undefined);

/** Values by flag, as they are written. */
export type FlagValues<S extends Readonly<Record<string, FlagSpec>>> = {
  readonly [K in keyof S]: ValueOf<S[K]>;
};

/** What is reported of requests, and where. */
const TELEMETRY_FLAGS = Object.freeze({
  'access-log': {
    type: 'string',
    value: 'FILE',
    help: 'a line a request; - for standard output',
    defaultText: 'none',
  },
  'access-log-format': {
    type: 'string',
    value: 'FORMAT',
    help: "tulle (JSON), envoy, istio, istio-json, or a text of Envoy's operators",
    defaultText: 'tulle',
  },
  metrics: {
    type: 'list',
    value: 'DIALECT',
    help: "native or istio (for its dashboards and Kiali): the metrics' names; may be repeated",
    defaultText: 'native',
  },
  'otlp-endpoint': {
    type: 'string',
    value: 'URL',
    help: 'traces to this collector (OTLP/HTTP)',
    defaultText: 'none',
  },
  'trace-ratio': {
    type: 'string',
    value: 'SHARE',
    help: 'of the traces begun here, 0 to 1',
    defaultText: '0.01',
  },
} as const);

/** Which connections the kernel leads to the sidecar, and what becomes of them. */
const CAPTURE_FLAGS = Object.freeze({
  capture: {
    type: 'boolean',
    help: "lead the program's connections to the sidecar, both ways, whatever it does (Linux, root, nft)",
  },
  egress: {
    type: 'string',
    value: 'MODE',
    help: 'captured calls to whom the mesh does not know: passthrough, or registry-only, which refuses them',
    choices: ['passthrough', 'registry-only'],
    defaultText: 'passthrough',
  },
  'if-proxy-dies': {
    type: 'string',
    value: 'HOW',
    help: 'new connections when sidecar and supervisor are killed: open, they go where they were meant, or closed',
    choices: ['open', 'closed'],
    defaultText: 'open',
  },
  reachable: {
    type: 'list',
    value: 'SERVICE',
    help: 'captured calls to it go through the mesh: NAME, NAME.NAMESPACE, *.NAMESPACE or *; may be repeated. What is not among them the mesh does not know',
    defaultText: '*',
  },
  'capture-exclude': {
    type: 'list',
    value: 'CIDR|PORT',
    help: 'a network, address or port of others that is left alone; may be repeated',
  },
  'capture-exclude-inbound': {
    type: 'list',
    value: 'PORT',
    help: 'a port of the program at which others reach it past the sidecar, in plain text; may be repeated',
  },
} as const);

/** Flags of a sidecar by the type of their values. */
export type SidecarFlags = { readonly name: Of<'string'> & { readonly required: true } } & Readonly<
  Record<
    | 'port'
    | 'upstream'
    | 'label'
    | 'control-plane'
    | 'metrics'
    | 'with'
    | 'without'
    | 'capture-exclude'
    | 'reachable'
    | 'capture-exclude-inbound',
    Of<'list'>
  > &
    Record<'no-port-check' | 'no-supervisor' | 'no-overload-manager' | 'capture', Of<'boolean'>> &
    Record<'start-timeout' | 'drain-window-seconds' | 'drain-deadline-seconds', Of<'number'>> &
    Record<
      | 'namespace'
      | 'trust-domain'
      | 'token'
      | 'inbound'
      | 'advertise'
      | 'locality'
      | 'cluster'
      | 'filters'
      | 'profile'
      | 'access-log'
      | 'access-log-format'
      | 'otlp-endpoint'
      | 'trace-ratio'
      | 'workers'
      | 'egress'
      | 'if-proxy-dies',
      Of<'string'>
    >
>;

/** A sidecar's flags, whoever starts it. */
export const SIDECAR_FLAGS: SidecarFlags = Object.freeze({
  name: {
    type: 'string',
    value: 'NAME',
    help: 'name of the workload, and of its service account',
    required: true,
  },
  port: {
    type: 'list',
    short: 'p',
    value: 'PORT',
    help: 'what the program listens on; may be repeated, or left out for one that only calls others',
  },
  upstream: {
    type: 'list',
    short: 'u',
    value: 'SERVICE=PORT',
    help: 'a service that it calls (NAME, NAME.NAMESPACE, either with :PORT of the Service), and the local port for it; may be repeated',
  },
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAME',
    help: 'namespace',
    defaultText: 'default',
    env: 'TULLE_NAMESPACE',
  },
  label: {
    type: 'list',
    short: 'l',
    value: 'KEY=VALUE',
    help: 'label by which Services select it; may be repeated',
    defaultText: 'app=NAME',
  },
  'control-plane': {
    type: 'list',
    value: 'HOST:PORT',
    help: 'xDS and CA; default: the one that runs on this machine',
    env: 'TULLE_CONTROL_PLANE',
  },
  'trust-domain': {
    type: 'string',
    value: 'NAME',
    help: 'trust domain of the mesh; default: that of the control plane of this machine',
    env: 'TULLE_TRUST_DOMAIN',
  },
  token: {
    type: 'string',
    value: 'TOKEN',
    help: 'join token; not needed while a saved identity is valid',
    env: 'TULLE_TOKEN',
  },
  inbound: {
    type: 'string',
    value: 'HOST:PORT',
    help: 'where the sidecar takes calls of others',
    defaultText: '127.0.0.1 and a free port',
  },
  advertise: {
    type: 'string',
    value: 'HOST[:PORT]',
    help: 'where others reach it, when that is another address: behind a port mapping or a load balancer',
    defaultText: '--inbound',
  },
  locality: {
    type: 'string',
    value: 'REGION[/ZONE[/SUBZONE]]',
    help: 'where it runs, for callers that prefer near endpoints',
  },
  cluster: {
    type: 'string',
    value: 'NAME',
    help: 'cluster that it runs in, for metrics that tell clusters apart',
    defaultText: 'mesh',
    env: 'TULLE_CLUSTER',
  },
  'no-port-check': {
    type: 'boolean',
    help: 'an endpoint at once; default when the program accepts on its ports',
  },
  'start-timeout': {
    type: 'number',
    value: 'SECONDS',
    help: 'give up when there is no identity and configuration by then; 0 for no limit',
    defaultText: '30',
  },
  filters: {
    type: 'string',
    value: 'FILE',
    help: 'allow-list of filters that are npm packages, written by tulle filters allow',
    defaultText: 'none',
    env: 'TULLE_FILTERS',
  },
  profile: {
    type: 'string',
    value: 'NAME',
    help: 'what is on beside mutual TLS, authorization and routing: identity (nothing), observe (metrics, access-log, tracing), full; what is off is not loaded',
    choices: Object.keys(PROFILES),
    defaultText: 'full',
    env: 'TULLE_PROFILE',
  },
  with: {
    type: 'list',
    value: 'CAPABILITY',
    help: `turns one on: ${CAPABILITIES.join(', ')}; may be repeated`,
  },
  without: { type: 'list', value: 'CAPABILITY', help: 'turns one off; may be repeated' },
  workers: {
    type: 'string',
    value: 'N',
    help: 'processes that move bytes; auto: one for each CPU that this process may use',
    defaultText: '1',
    env: 'TULLE_WORKERS',
  },
  ...CAPTURE_FLAGS,
  ...DRAIN_FLAGS,
  'no-supervisor': { type: 'boolean', help: 'everything in one process' },
  'no-overload-manager': {
    type: 'boolean',
    help: 'take every request, also where memory, files or time run short',
  },
  ...TELEMETRY_FLAGS,
} as const);

/** Values of {@link SIDECAR_FLAGS}, read and not yet understood. */
export type SidecarFlagValues = FlagValues<SidecarFlags>;
