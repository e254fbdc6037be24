import type { Http2Options as CodecOptions } from '@tulle/http2';
import type { DownstreamTls, Http2Keepalive, Listener } from '@tulle/model';
import { canonical } from './canonical.ts';
import { serverSessionOptions } from '../http2/session-options.ts';
import { IdentityPatterns, identityPatternFault } from './identity-patterns.ts';
import type { Issues } from './issues.ts';
import type { SharedTls } from './shared-tls.ts';

/** How a listener takes tunnels, compiled. */
export interface CompiledHbone {
  readonly tls: SharedTls;
  /** Canonical text of what the TLS was made of. */
  readonly tlsKey: string;
  readonly session: Partial<CodecOptions>;
  readonly keepalive: Http2Keepalive | undefined;
  readonly trustedForwarders: IdentityPatterns | undefined;
}

/** @param before of the listener of that name that is at work: TLS that means the same is kept */
export function compileHbone(
  { hbone, filterChains }: Listener,
  path: string,
  before: CompiledHbone | undefined,
  issues: Issues,
  serverTls: (config: DownstreamTls, path: string) => SharedTls | undefined,
): CompiledHbone | undefined {
  if (hbone === undefined) return undefined;
  for (const [index, { tls }] of filterChains.entries())
    if (tls !== undefined)
      issues.add(`${path}/filterChains/${index}/tls`, 'TLS ends with the tunnel: leave it to hbone.tls');
  const { http2, trustedForwarders = [] } = hbone;
  for (const [index, pattern] of trustedForwarders.entries()) {
    const fault = identityPatternFault(pattern);
    if (fault !== '') issues.add(`${path}/hbone/trustedForwarders/${index}`, fault);
  }
  const config = hbone.tls.alpn === undefined ? { ...hbone.tls, alpn: ['h2'] } : hbone.tls;
  const tlsKey = canonical(config);
  const tls = before?.tlsKey === tlsKey ? before.tls : serverTls(config, `${path}/hbone`);
  return (
    tls && {
      tls,
      tlsKey,
      session: serverSessionOptions(http2),
      keepalive: http2?.keepalive,
      trustedForwarders: trustedForwarders.length === 0 ? undefined : new IdentityPatterns(trustedForwarders),
    }
  );
}
