import { TYPE_PREFIX } from '../wire.ts';

/** A type of resources with the word that people say. */
interface KnownType {
  /** As in `tulle xds` and in paths of the API. */
  readonly short: string;
  readonly message: string;
  /** Discovery services of its own that serve this type alone: prefix of their methods, e.g. `Clusters`. */
  readonly named?: true;
}

/** The types that have words of their own. Every other goes by the full name of its message. */
const KNOWN: readonly KnownType[] = [
  { short: 'listener', message: 'envoy.config.listener.v3.Listener' },
  { short: 'route', message: 'envoy.config.route.v3.RouteConfiguration', named: true },
  { short: 'scoped-route', message: 'envoy.config.route.v3.ScopedRouteConfiguration' },
  { short: 'virtual-host', message: 'envoy.config.route.v3.VirtualHost', named: true },
  { short: 'cluster', message: 'envoy.config.cluster.v3.Cluster' },
  { short: 'endpoint', message: 'envoy.config.endpoint.v3.ClusterLoadAssignment', named: true },
  { short: 'secret', message: 'envoy.extensions.transport_sockets.tls.v3.Secret', named: true },
  { short: 'extension', message: 'envoy.config.core.v3.TypedExtensionConfig', named: true },
  { short: 'runtime', message: 'envoy.service.runtime.v3.Runtime', named: true },
];

const BY_SHORT: ReadonlyMap<string, KnownType> = new Map(KNOWN.map((one) => [one.short, one]));
const BY_URL: ReadonlyMap<string, KnownType> = new Map(
  KNOWN.map((one) => [`${TYPE_PREFIX}${one.message}`, one]),
);

const urlOf = (short: string): string => `${TYPE_PREFIX}${BY_SHORT.get(short)?.message ?? ''}`;

export const LISTENER: string = urlOf('listener');
export const ROUTE: string = urlOf('route');
export const CLUSTER: string = urlOf('cluster');
export const ENDPOINT: string = urlOf('endpoint');
export const SECRET: string = urlOf('secret');
export const EXTENSION: string = urlOf('extension');
export const SCOPED_ROUTE: string = urlOf('scoped-route');
export const VIRTUAL_HOST: string = urlOf('virtual-host');
export const RUNTIME: string = urlOf('runtime');

/** Words for types, in the order in which they are shown. */
export const SHORT_TYPES: readonly string[] = KNOWN.map(({ short }) => short);

/**
 * The type URL that a person means: a word (`cluster`, also `clusters`), the full name of a message, or the URL itself.
 * @returns `undefined` for a word that is none
 */
export function typeUrlOf(text: string): string | undefined {
  if (text.startsWith(TYPE_PREFIX)) return text.length > TYPE_PREFIX.length ? text : undefined;
  const known = BY_SHORT.get(text) ?? BY_SHORT.get(text.replace(/s$/, ''));
  if (known) return `${TYPE_PREFIX}${known.message}`;
  return /^[\w]+(\.[\w]+)+$/.test(text) ? `${TYPE_PREFIX}${text}` : undefined;
}

/** What a person calls a type: its word, else the full name of the message. */
export function shortTypeOf(typeUrl: string): string {
  return BY_URL.get(typeUrl)?.short ?? typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

/** Whether resources of the type are asked for by name only, so that no names means none. */
export function isNamed(typeUrl: string): boolean {
  return BY_URL.get(typeUrl)?.named === true;
}
