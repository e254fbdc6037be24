import type { TcpAddress } from '@tulle/model';
import type { ProxyNode } from '../node.ts';
import type { MeshSettings } from './clusters.ts';

/**
 * What the name of a server's listener begins with; the address where it listens follows. A bootstrap's
 * `server_listener_resource_name_template` is this and `%s` (gRFC A36, whose example it is).
 */
export const SERVER_LISTENER_PREFIX = 'grpc/server?xds.resource.listening_address=';

/** A Service that a gRPC program calls, by the name of its target. */
export interface GrpcTarget {
  /** `name.namespace`. */
  readonly service: string;
  /** Absent: the Service's first port. */
  readonly servicePort?: number;
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/**
 * Reads the target of a channel, `xds:///orders.shop:80`: `name`, `name.namespace`, with `.svc` or the mesh's suffix after it or
 * not, and a port or none.
 * @returns `undefined` for what names no Service of this mesh
 */
export function readGrpcTarget(
  target: string,
  { namespace: own }: Pick<ProxyNode, 'namespace'>,
  { suffix }: Pick<MeshSettings, 'suffix'>,
): GrpcTarget | undefined {
  const [, host = '', port] = /^([^:]+)(?::(\d{1,5}))?$/.exec(target) ?? [];
  const bare = [`.${suffix}`, '.svc'].reduce(
    (name, ending) => (name.endsWith(ending) ? name.slice(0, -ending.length) : name),
    host,
  );
  const [name = '', namespace = own, ...more] = bare.split('.');
  if (more.length > 0 || !LABEL.test(name) || !LABEL.test(namespace)) return undefined;
  return { service: `${name}.${namespace}`, ...(port === undefined ? {} : { servicePort: Number(port) }) };
}

/** Where a server listens whose listener has this name: `127.0.0.1:50051`, `[::]:50051`; `undefined` for other names. */
export function readServerListener(name: string): TcpAddress | undefined {
  if (!name.startsWith(SERVER_LISTENER_PREFIX)) return undefined;
  const [, v6, host, port] =
    /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(name.slice(SERVER_LISTENER_PREFIX.length)) ?? [];
  const at = v6 ?? host;
  return at === undefined ? undefined : { host: at, port: Number(port) };
}
