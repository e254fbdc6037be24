import type { CertificatePart, Forwarding, HttpHandler } from '@tulle/model';
import {
  type HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';
import { decodeDetection } from './caller-detection.ts';
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
      scheme: decodeScheme(context, manager, `${path}.scheme_header_transformation`),
      node: decodeNode(context, manager, `${path}.add_user_agent`),
      detection: decodeDetection(context, manager, path),
    }),
  };
}

function decodeScheme(
  context: DecodeContext,
  { schemeHeaderTransformation: transformation }: HttpConnectionManager,
  path: string,
): Forwarding['scheme'] {
  if (transformation?.matchUpstream === true)
    context.refuse(`${path}.match_upstream`, 'must be false: logs say the scheme that the caller used');
  const scheme = transformation?.transformation.value?.toLowerCase();
  if (scheme === undefined || scheme === 'http' || scheme === 'https') return scheme;
  context.refuse(`${path}.scheme_to_overwrite`, `must be http or https, but is "${scheme}"`);
  return undefined;
}

/** Its name is the proxy's own, and stands in no resource. */
function decodeNode(
  context: DecodeContext,
  { addUserAgent }: HttpConnectionManager,
  path: string,
): Forwarding['node'] {
  if (addUserAgent !== true) return undefined;
  if (context.node === undefined)
    context.refuse(path, 'must be false: this proxy has no node.cluster to tell');
  return context.node;
}
