import type { CertificatePart, Forwarding, HttpHandler } from '@tulle/model';
import {
  type HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

const CERTIFICATES: ReadonlyMap<ForwardClientCert, NonNullable<Forwarding['clientCertificate']>> = new Map([
  [ForwardClientCert.FORWARD_ONLY, 'forward'],
  [ForwardClientCert.APPEND_FORWARD, 'append'],
  [ForwardClientCert.SANITIZE_SET, 'replace'],
  [ForwardClientCert.ALWAYS_FORWARD_ONLY, 'always-forward'],
] as const);

const PARTS: readonly CertificatePart[] = ['subject', 'cert', 'chain', 'dns', 'uri'];

/**
 * What is believed of where requests say they came from.
 * @param own what Tulle's own control plane says of it, which has other words: from the chain's metadata
 */
export function decodeForwarding(
  context: DecodeContext,
  manager: HttpConnectionManager,
  own: HttpHandler['identityHeaders'] | undefined,
  path: string,
): Pick<HttpHandler, 'identityHeaders' | 'forwarding'> {
  if (own !== undefined) return own === 'keep' ? { identityHeaders: 'keep' } : {};
  const { internalAddressConfig: internal, setCurrentClientCertDetails: parts } = manager;
  if (internal?.unixSockets === true)
    context.refuse(
      `${path}.internal_address_config.unix_sockets`,
      'must be false: what comes by a Unix socket is internal by itself where no networks are named',
    );
  return {
    forwarding: present({
      client: manager.useRemoteAddress === true ? ('peer' as const) : ('header' as const),
      trustedHops: manager.xffNumTrustedHops === 0 ? undefined : manager.xffNumTrustedHops,
      append: manager.skipXffAppend ? false : undefined,
      port: manager.appendXForwardedPort ? true : undefined,
      clientCertificate: CERTIFICATES.get(manager.forwardClientCertDetails),
      certificateParts: parts && filled(PARTS.filter((part) => parts[part] === true)),
      internalCidrs: internal && filled(internal.cidrRanges.map(decodeCidr)),
    }),
  };
}
