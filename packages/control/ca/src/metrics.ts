import type { Meter } from '@tulle/telemetry';
import type { RefusalReason } from '@tulle/spiffe';
import type { CaEvent } from './ca.ts';
import type { IdentityClientEvent } from './identity-client.ts';

/** Counts what a CA does: pass the result as (part of) `CaOptions.onEvent`. */
export function caMetrics(meter: Meter): (event: CaEvent) => void {
  return (event) => {
    if (event.kind === 'issued')
      meter
        .counter('tulle_ca_issued_total', { help: 'Certificates issued', labels: { how: event.how } })
        .add();
    else if (event.kind === 'refused')
      meter
        .counter('tulle_ca_refused_total', {
          help: 'Requests that the CA refused',
          labels: { how: event.how, reason: event.reason },
        })
        .add();
    else if (event.kind === 'issuer-rotated')
      meter.counter('tulle_ca_issuer_rotations_total', { help: 'Issuers made after the first' }).add();
    else if (event.kind === 'rotation-failed')
      meter.counter('tulle_ca_rotation_failures_total', { help: 'Issuers that could not be made' }).add();
  };
}

/** Counts what an identity does: pass the result as (part of) `IdentityClientOptions.onEvent`. */
export function identityMetrics(meter: Meter): (event: IdentityClientEvent) => void {
  const expiry = meter.gauge('tulle_identity_expiry_timestamp_seconds', {
    help: 'End of the certificate in use, as Unix time',
  });
  const renewals = meter.counter('tulle_identity_renewals_total', { help: 'Certificates taken into use' });
  const failures = meter.counter('tulle_identity_renewal_failures_total', {
    help: 'Attempts to get a certificate that failed',
  });
  const lapses = meter.counter('tulle_identity_lapses_total', {
    help: 'Certificates that ended before they were renewed',
  });
  return (event) => {
    if (event.kind === 'renewed') {
      renewals.add();
      expiry.set(event.notAfterMs / 1000);
    } else if (event.kind === 'renewal-failed') failures.add();
    else if (event.kind === 'lapsed') lapses.add();
  };
}

/** Counts connections that were not believed: call it from `MeshGrpcServerOptions.onRefused`. */
export function refusalMetrics(meter: Meter): (refused: { readonly reason: RefusalReason }) => void {
  return ({ reason }) =>
    meter
      .counter('tulle_control_connections_refused_total', {
        help: 'Connections to the control plane that were not believed',
        labels: { reason },
      })
      .add();
}
