import { pseudoHeader, type HttpStream } from '@tulle/filter';

/**
 * One of Envoy's attributes of a stream by its name (Envoy, "Attributes"), but for times, which its readers write differently.
 * @returns `undefined` for what is not known here, or not there yet
 */
export function readAttribute(stream: HttpStream, name: string): string | number | boolean | undefined {
  const { request, connection, route } = stream;
  switch (name) {
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
    case 'response.code':
      return statusOf(stream);
    case 'source.address':
      return addressOf(stream.clientAddress, connection.remotePort);
    case 'source.port':
      return connection.remotePort;
    case 'destination.address':
      return addressOf(connection.localAddress, connection.localPort);
    case 'destination.port':
      return connection.localPort;
    case 'connection.mtls':
      return connection.peerIdentity !== undefined;
    case 'connection.requested_server_name':
      return connection.serverName;
    case 'connection.uri_san_peer_certificate':
      return connection.peerIdentity;
    case 'xds.route_name':
      return route?.name;
    case 'xds.cluster_name':
      return route?.cluster;
    default:
      return undefined;
  }
}

function addressOf(host: string, port: number): string | undefined {
  if (host === '') return undefined;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** There is none before an answer. */
function statusOf(stream: HttpStream): number | undefined {
  try {
    return stream.response.status;
  } catch {
    return undefined;
  }
}
