import type { Cluster, DownstreamTls, FilterChain } from '@tulle/model';

/** ALPN names (RFC 7301 §6, RFC 9113 §3.1). */
const H2 = 'h2';
const HTTP1 = 'http/1.1';

/** TLS of a chain, with the protocols that its handler speaks where none are given. */
export function downstreamTls({ tls, handler }: FilterChain): DownstreamTls | undefined {
  if (tls === undefined || tls.alpn !== undefined || handler.kind !== 'http') return tls;
  const alpn = { auto: [H2, HTTP1], http1: [HTTP1], http2: [H2] }[handler.codec ?? 'auto'];
  return { ...tls, alpn };
}

/**
 * What is offered to endpoints by who speaks HTTP to them, where their TLS names nothing; `undefined`: nothing, or what depends on
 * the request. Who passes bytes on offers nothing: nobody may agree with an endpoint on what bytes mean that are another's.
 */
export function spokenAlpn({ pool }: Cluster): readonly string[] | undefined {
  const protocol = pool?.protocol ?? 'http1';
  if (protocol === 'http1' || protocol === 'downstream') return undefined;
  return protocol === 'http2' ? [H2] : [H2, HTTP1];
}
