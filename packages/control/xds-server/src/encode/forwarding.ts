import type { HttpHandler } from '@tulle/model';
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManagerSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeCidr } from './address.ts';
import type { EncodeForm } from './form.ts';
import { refuseNotSentOfForwarding } from './not-sent.ts';
import type { Fields } from './values.ts';

const CERTIFICATES = {
  sanitize: ForwardClientCert.SANITIZE,
  forward: ForwardClientCert.FORWARD_ONLY,
  append: ForwardClientCert.APPEND_FORWARD,
  replace: ForwardClientCert.SANITIZE_SET,
  'always-forward': ForwardClientCert.ALWAYS_FORWARD_ONLY,
} as const;

/** What is believed of where requests say they came from. */
export function encodeForwarding(
  handler: HttpHandler,
  { workloadCertificate }: EncodeForm,
): Fields<typeof HttpConnectionManagerSchema> {
  const { forwarding, identityHeaders } = handler;
  if (forwarding === undefined)
    return ownRules(identityHeaders === 'keep', workloadCertificate.kind === 'own');
  refuseNotSentOfForwarding(forwarding);
  const { certificateParts = [], internalCidrs } = forwarding;
  return {
    useRemoteAddress: forwarding.client === 'peer',
    xffNumTrustedHops: forwarding.trustedHops ?? 0,
    skipXffAppend: forwarding.append === false,
    appendXForwardedPort: forwarding.port ?? false,
    forwardClientCertDetails: CERTIFICATES[forwarding.clientCertificate ?? 'sanitize'],
    ...(certificateParts.length > 0 && {
      setCurrentClientCertDetails: Object.fromEntries(certificateParts.map((part) => [part, true])),
    }),
    ...(internalCidrs && { internalAddressConfig: { cidrRanges: internalCidrs.map(encodeCidr) } }),
  };
}

/** A caller's claims are not believed: Envoy drops them when the address of the connection counts. */
function ownRules(keep: boolean, own: boolean): Fields<typeof HttpConnectionManagerSchema> {
  if (keep)
    return { useRemoteAddress: false, forwardClientCertDetails: ForwardClientCert.ALWAYS_FORWARD_ONLY };
  // Tulle's engine tells the service by itself who called; Envoy of the certificate that the caller proved.
  return own
    ? { useRemoteAddress: true, forwardClientCertDetails: ForwardClientCert.SANITIZE }
    : {
        useRemoteAddress: true,
        forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
        setCurrentClientCertDetails: { uri: true },
      };
}
