import type { Json } from './configuration.ts';
import { typed } from './resources.ts';

const TLS = 'envoy.extensions.transport_sockets.tls.v3';

const certificate = (name: string): Json => ({
  certificate_chain: { inline_string: `$cert:${name}` },
  private_key: { inline_string: `$key:${name}` },
});

/** What is asked of a client, or of an origin. */
export interface Peers {
  /** Fields beside the roots. Default none. */
  readonly validation?: Json;
  /** `none`: whoever comes. Default `$ca`. */
  readonly roots?: '$ca' | '$foreign-ca' | 'none';
  /** Shown by this side. */
  readonly certificate?: string;
  /** Further fields of the CommonTlsContext. */
  readonly common?: Json;
}

function common({ validation = {}, roots = '$ca', certificate: name, common: more = {} }: Peers): Json {
  return {
    ...(name !== undefined && { tls_certificates: [certificate(name)] }),
    ...(roots !== 'none' && {
      validation_context: { trusted_ca: { inline_string: roots }, ...validation },
    }),
    ...more,
  };
}

const socket = (type: string, value: Json): Json => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: typed(`${TLS}.${type}`, value),
});

/** A TLS context of a cluster. @param context fields beside the common ones */
export function upstreamTls(context: Json = {}, peers: Peers = {}): Json {
  return socket('UpstreamTlsContext', { common_tls_context: common(peers), ...context });
}

/** A TLS context of a filter chain. @param context fields beside the common ones */
export function downstreamTls(name: string, context: Json = {}, peers: Peers = { roots: 'none' }): Json {
  return socket('DownstreamTlsContext', {
    common_tls_context: common({ ...peers, certificate: name }),
    ...context,
  });
}
