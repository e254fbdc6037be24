import { pseudoHeader, type HttpStream } from '@tulle/filter';
import type { Vm } from './vm.ts';

type Value = string | bigint | boolean;

/**
 * An attribute by its path, as the field names them (Envoy "Attributes"). Text as it is, numbers and times (nanoseconds) as 64 bits,
 * little endian, yes and no as one byte.
 * @param path segments with dots between them @returns `undefined` for what is not known
 */
export function readProperty(vm: Vm, path: string): Uint8Array | undefined {
  const context = vm.current();
  const own = context?.properties?.get(path);
  if (own !== undefined) return own;
  const value = ofPlugin(vm, path) ?? (context?.stream && ofStream(context.stream, path, vm));
  return value === undefined ? undefined : bytesOf(value);
}

function bytesOf(value: Value): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  return bytes;
}

function ofPlugin({ settings }: Vm, path: string): Value | undefined {
  switch (path) {
    case 'plugin_name':
      return settings.name;
    case 'plugin_root_id':
      return settings.rootId;
    case 'plugin_vm_id':
      return settings.vmId;
    default:
      return undefined;
  }
}

function ofStream(stream: HttpStream, path: string, vm: Vm): Value | undefined {
  const { request, connection, route } = stream;
  if (path.startsWith('request.headers.')) return fieldOf(request.headers, path.slice(16), request);
  if (path.startsWith('response.')) return ofResponse(stream, path.slice(9));
  switch (path) {
    case 'request.path':
      return pseudoHeader(request, ':path');
    case 'request.url_path':
      return request.path;
    case 'request.query':
      return request.query ?? '';
    case 'request.host':
      return request.authority;
    case 'request.scheme':
      return request.scheme;
    case 'request.method':
      return request.method;
    case 'request.protocol':
      return request.protocol;
    case 'request.id':
      return stream.requestId;
    case 'request.referer':
      return request.headers.get('referer');
    case 'request.useragent':
      return request.headers.get('user-agent');
    case 'request.time':
      return BigInt(Math.floor(vm.host.epochMs())) * 1_000_000n;
    case 'source.address':
      return addressOf(stream.clientAddress, connection.remotePort);
    case 'source.port':
      return BigInt(connection.remotePort);
    case 'destination.address':
      return addressOf(connection.localAddress, connection.localPort);
    case 'destination.port':
      return BigInt(connection.localPort);
    case 'connection.mtls':
      return connection.peerIdentity !== undefined;
    case 'connection.requested_server_name':
      return connection.serverName;
    case 'connection.uri_san_peer_certificate':
      return connection.peerIdentity;
    case 'route_name':
    case 'xds.route_name':
      return route?.name;
    case 'cluster_name':
    case 'xds.cluster_name':
      return route?.cluster;
    case 'listener_direction':
    case 'xds.listener_direction':
      return { unspecified: 0n, inbound: 1n, outbound: 2n }[connection.direction];
    default:
      return undefined;
  }
}

function ofResponse({ response }: HttpStream, name: string): Value | undefined {
  try {
    if (name === 'code') return BigInt(response.status);
    return name.startsWith('headers.') ? fieldOf(response.headers, name.slice(8)) : undefined;
  } catch {
    return undefined; // there is none yet
  }
}

function fieldOf(
  headers: HttpStream['request']['headers'],
  name: string,
  request?: HttpStream['request'],
): string | undefined {
  const pseudo = request && pseudoHeader(request, name);
  if (pseudo !== undefined) return pseudo;
  return headers.has(name) ? headers.getAll(name).join(',') : undefined;
}

function addressOf(host: string, port: number): string | undefined {
  if (host === '') return undefined;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
