import type { Cluster, DownstreamTls, FilterChain, UpstreamTls } from '@tulle/model';

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
 * TLS of a cluster, with the protocols that it is spoken to in where none are given. Where that depends on the request,
 * connecting says it.
 */
export function upstreamTls(tls: UpstreamTls | undefined, { pool }: Cluster): UpstreamTls | undefined {
  const protocol = pool?.protocol ?? 'http1';
  if (tls === undefined || tls.alpn !== undefined || protocol === 'http1' || protocol === 'downstream')
    return tls;
  return { ...tls, alpn: protocol === 'http2' ? [H2] : [H2, HTTP1] };
}
