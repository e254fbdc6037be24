import {
  commonHostname,
  conflictedListeners,
  isCertificateKind,
  isForMesh,
  type GatewayListener,
  type MergedGateway,
} from '@tulle/resources';
import { certificateName } from '../compile/gateway-tls.ts';
import type { Condition } from '../condition.ts';

/**
 * That a connection to a listener may, by its name or certificate, as well be one to another of its port, so that clients which
 * use connections for several names send requests where those of the other are not served (421); nothing where it may not.
 * Negative, and never `False` (Gateway API `ListenerConditionOverlappingTLSConfig`).
 *
 * Of certificates, which are files elsewhere, their names are known and not what they are for: those of one name overlap.
 */
export function overlappingTls(merged: MergedGateway, listener: GatewayListener): Condition[] {
  const conflicted = conflictedListeners(merged);
  if (!endsOrPassesTls(listener) || conflicted.has(listener)) return [];
  const others = merged.listeners.filter(
    (one) => one !== listener && one.port === listener.port && endsOrPassesTls(one) && !conflicted.has(one),
  );
  const certificate = certificateOf(merged, listener);
  const byCertificate =
    certificate === undefined ? [] : others.filter((one) => certificateOf(merged, one) === certificate);
  const byHostname = others.filter(
    (one) => commonHostname(listener.hostname ?? '*', one.hostname ?? '*') !== undefined,
  );
  const type = 'OverlappingTLSConfig';
  const asked =
    'a request for one over a connection to the other is misdirected (421 of a listener of HTTPS)';
  // Where both hold it is to be said of certificates.
  if (byCertificate.length > 0)
    return [
      {
        type,
        status: 'True',
        reason: 'OverlappingCertificates',
        message: `its certificate ${certificate} is also that of ${named(merged, listener, byCertificate)} on port ${listener.port}: ${asked}`,
      },
    ];
  if (byHostname.length === 0) return [];
  return [
    {
      type,
      status: 'True',
      reason: 'OverlappingHostnames',
      message: `names of it are also names of ${named(merged, listener, byHostname)} on port ${listener.port}: ${asked}`,
    },
  ];
}

function endsOrPassesTls(listener: GatewayListener): boolean {
  return (listener.protocol === 'HTTPS' || listener.protocol === 'TLS') && !isForMesh(listener);
}

function certificateOf(merged: MergedGateway, listener: GatewayListener): string | undefined {
  const ref = listener.tls?.certificateRefs?.[0];
  return ref === undefined || !isCertificateKind(ref)
    ? undefined
    : certificateName(merged.ownerOf(listener), ref);
}

/** Listeners of other resources are nobody's business. */
function named(merged: MergedGateway, listener: GatewayListener, others: readonly GatewayListener[]): string {
  const owner = merged.ownerOf(listener);
  const own = others.flatMap((one) => (merged.ownerOf(one) === owner ? [one.name] : []));
  const elsewhere =
    own.length < others.length ? ['another listener of the Gateway or of its ListenerSets'] : [];
  return [...own, ...elsewhere].join(', ');
}
