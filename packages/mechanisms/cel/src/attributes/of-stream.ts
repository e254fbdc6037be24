import {
  type ConnectionInfo,
  DYNAMIC_METADATA,
  FILTER_STATE,
  type HttpStream,
  pseudoHeader,
} from '@tulle/filter';
import { readAttribute } from '@tulle/match';
import { type Attribute, type AttributeTable, type AttributeValue, Json, Lookup, Moment } from './table.ts';

/** What is judged: a request, or a connection that carries none. */
export interface StreamSubject {
  readonly connection: ConnectionInfo;
  /** `undefined`: a connection alone. */
  readonly stream: HttpStream | undefined;
}

type Attributes = Readonly<Record<string, Attribute<StreamSubject>>>;

/** One that `readAttribute` has. */
const plain =
  (name: string): Attribute<StreamSubject> =>
  ({ stream }) => {
    const value = stream && readAttribute(stream, name);
    return typeof value === 'number' ? BigInt(value) : value;
  };

const all = (root: string, ...names: readonly string[]): Attributes =>
  Object.fromEntries(names.map((name) => [name, plain(`${root}.${name}`)]));

/** All lines of a name, as Envoy joins them. */
function fieldOf({ request }: HttpStream, given: string): string | undefined {
  const name = given.toLowerCase();
  if (name.startsWith(':')) return pseudoHeader(request, name);
  if (name === 'host') return request.authority;
  const { headers } = request;
  let value: string | undefined;
  for (let index = 0; index < headers.length; index += 1)
    if (headers.name(index) === name)
      value =
        value === undefined
          ? headers.value(index)
          : `${value}${name === 'cookie' ? '; ' : ','}${headers.value(index)}`;
  return value;
}

const own = <V>(values: Readonly<Record<string, V>> | undefined, key: string): V | undefined =>
  values !== undefined && Object.hasOwn(values, key) ? values[key] : undefined;

const address = (host: string, port: number): AttributeValue | undefined => {
  if (host === '') return undefined;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
};

/** Numbers of Envoy's `core.v3.TrafficDirection`. */
export const DIRECTIONS = { unspecified: 0n, inbound: 1n, outbound: 2n } as const;

const connection: Attributes = {
  mtls: ({ connection: { peerIdentity } }) => peerIdentity !== undefined,
  requested_server_name: ({ connection: { serverName } }) => serverName ?? '',
  uri_san_peer_certificate: ({ connection: { peerIdentity } }) => peerIdentity,
};
const destination: Attributes = {
  address: ({ connection: { localAddress, localPort } }) => address(localAddress, localPort),
  port: ({ connection: { localPort } }) => BigInt(localPort),
};

/** What is known of a connection when it is judged. */
export const CONNECTION_ATTRIBUTES: AttributeTable<StreamSubject> = {
  connection,
  source: {
    address: ({ connection: { remoteAddress, remotePort } }) => address(remoteAddress, remotePort),
    port: ({ connection: { remotePort } }) => BigInt(remotePort),
  },
  destination,
  xds: { listener_direction: (subject) => DIRECTIONS[subject.connection.direction] },
};

/** What is known of a request when it is judged: as it will be sent on, by what the filters before have made of it. */
export const STREAM_ATTRIBUTES: AttributeTable<StreamSubject> = {
  request: {
    ...all(
      'request',
      'path',
      'url_path',
      'query',
      'host',
      'scheme',
      'method',
      'protocol',
      'id',
      'referer',
      'useragent',
    ),
    headers: ({ stream }) => new Lookup((name) => stream && fieldOf(stream, name)),
    // What is judged has just come.
    time: () => new Moment(Date.now()),
    size: ({ stream }) => BigInt(stream?.request.bodyLength ?? 0),
  },
  connection,
  source: all('source', 'address', 'port'),
  destination,
  metadata: {
    filter_metadata: ({ stream }) =>
      new Lookup((namespace) => {
        const values = own(stream?.get(DYNAMIC_METADATA), namespace);
        return values && new Json(values);
      }),
  },
  filter_state: ({ stream }) =>
    new Lookup((key) => {
      const value = own(stream?.get(FILTER_STATE), key);
      return value === undefined ? undefined : new TextEncoder().encode(value);
    }),
  xds: {
    ...all('xds', 'route_name', 'cluster_name'),
    listener_direction: (subject) => DIRECTIONS[subject.connection.direction],
  },
};
