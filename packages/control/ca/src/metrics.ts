import type { Meter } from '@tulle/telemetry';
import type { RefusalReason } from '@tulle/spiffe';
import { systemClock, type Clock } from '@tulle/time';
import type { Ca } from './ca.ts';
import type { CaEvent } from './ca-events.ts';
import type { CaService } from './ca-service.ts';
import type { IdentityClientEvent } from './identity-client.ts';
import type { MeshGrpcServer } from './mesh-grpc-server.ts';

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
    else if (event.kind === 'root-rotation')
      meter
        .counter('tulle_ca_root_rotation_steps_total', {
          help: 'Steps of a change of roots',
          labels: { phase: event.phase },
        })
        .add();
    else if (event.kind === 'rotation-failed')
      meter
        .counter('tulle_ca_rotation_failures_total', {
          help: 'Steps of a rotation of issuer or root that failed',
        })
        .add();
    else if (event.kind === 'failed')
      meter
        .counter('tulle_ca_failures_total', {
          help: 'Requests that failed because of the CA itself, such as a full disk',
          labels: { how: event.how },
        })
        .add();
  };
}

/**
 * Shows where a CA stands, read when somebody scrapes: how much of the life of root and issuer is over, who watches.
 * @returns stops reporting it
 */
export function observeCa(
  meter: Meter,
  ca: Ca,
  service: CaService,
  clock: Clock = systemClock(),
): () => void {
  const inUse = {
    root: () => {
      const { roots, signingRootId } = ca.status();
      return roots.find(({ id }) => id === signingRootId);
    },
    issuer: () => ca.status().issuers.at(-1),
  } as const;
  const ends = (['root', 'issuer'] as const).flatMap((authority) => {
    const labels = { authority };
    return [
      meter.observed(
        'tulle_ca_authority_expiry_timestamp_seconds',
        { help: 'End of the root or issuer that signs, as Unix time', labels },
        () => (inUse[authority]()?.notAfterMs ?? Number.NaN) / 1000,
      ),
      meter.observed(
        'tulle_ca_authority_life_used_ratio',
        { help: 'Share of the life of the root or issuer that signs which is over, 0 to 1', labels },
        () => {
          const used = inUse[authority]();
          return used === undefined
            ? Number.NaN
            : lifeUsed(used.notBeforeMs, used.notAfterMs, clock.epochMs());
        },
      ),
    ];
  });
  ends.push(
    meter.observed(
      'tulle_ca_holders',
      { help: 'Instances of workloads with a valid certificate' },
      () => ca.status().holders,
    ),
    meter.observed(
      'tulle_ca_root_rotation_waiting_holders',
      { help: 'Instances that have not confirmed the new root, while a root is being replaced' },
      () => {
        const { rootRotation } = ca.status();
        return rootRotation === undefined ? 0 : rootRotation.holders - rootRotation.confirmed;
      },
    ),
    meter.observed(
      'tulle_ca_watchers',
      { help: 'Clients that wait for news of roots and rotations' },
      () => service.watchers,
    ),
  );
  return () => ends.forEach((end) => end());
}

/** Counts what an identity does: pass the result as (part of) `IdentityClientOptions.onEvent`. */
export function identityMetrics(meter: Meter): (event: IdentityClientEvent) => void {
  const renewals = meter.counter('tulle_identity_renewals_total', { help: 'Certificates taken into use' });
  const failures = meter.counter('tulle_identity_renewal_failures_total', {
    help: 'Attempts to get a certificate that failed',
  });
  const lapses = meter.counter('tulle_identity_lapses_total', {
    help: 'Certificates that ended before they were renewed',
  });
  return (event) => {
    if (event.kind === 'renewed') renewals.add();
    else if (event.kind === 'renewal-failed') failures.add();
    else if (event.kind === 'lapsed') lapses.add();
  };
}

/** An identity as far as its metrics go: `IdentityClient` and `LocalIdentity` are two. */
export interface DatedIdentity {
  /** Undefined before the first certificate. */
  readonly obtainedAtMs: number | undefined;
  readonly expiresAtMs: number | undefined;
}

/**
 * Shows how much of the life of an identity's certificate is over, read when somebody scrapes: past a half it should
 * have been renewed.
 * @returns stops reporting it
 */
export function observeIdentity(
  meter: Meter,
  identity: DatedIdentity,
  clock: Clock = systemClock(),
): () => void {
  const ends = [
    meter.observed(
      'tulle_identity_expiry_timestamp_seconds',
      { help: 'End of the certificate in use, as Unix time' },
      () => (identity.expiresAtMs ?? Number.NaN) / 1000,
    ),
    meter.observed(
      'tulle_identity_life_used_ratio',
      { help: 'Share of the life of the certificate in use which is over, 0 to 1' },
      () => {
        const { obtainedAtMs, expiresAtMs } = identity;
        return obtainedAtMs === undefined || expiresAtMs === undefined
          ? Number.NaN
          : lifeUsed(obtainedAtMs, expiresAtMs, clock.epochMs());
      },
    ),
  ];
  return () => ends.forEach((end) => end());
}

const lifeUsed = (fromMs: number, untilMs: number, nowMs: number): number =>
  Math.min(1, Math.max(0, (nowMs - fromMs) / (untilMs - fromMs)));

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

/**
 * Shows the connections of the control plane's gRPC port and what its bounds did, read when somebody scrapes.
 * @returns stops reporting it
 */
export function observeConnections(meter: Meter, server: Pick<MeshGrpcServer, 'stats'>): () => void {
  const ended = 'tulle_control_connections_ended_total';
  const help = 'Connections to the control plane that a bound ended or turned away';
  const ends = [
    meter.observed(
      'tulle_control_connections',
      { help: 'Connections to the port of xDS and CA' },
      () => server.stats().connections,
    ),
    meter.observed(
      'tulle_control_unauthenticated_connections',
      { help: 'Connections to the port of xDS and CA that showed no certificate' },
      () => server.stats().unauthenticated,
    ),
    meter.observed(ended, { help, labels: { bound: 'maxConnections' } }, () => server.stats().dropped),
    meter.observed(
      ended,
      { help, labels: { bound: 'maxUnauthenticated' } },
      () => server.stats().unauthenticatedDropped,
    ),
    meter.observed(
      ended,
      { help, labels: { bound: 'unauthenticatedLifetimeMs' } },
      () => server.stats().unauthenticatedExpired,
    ),
    meter.observed(ended, { help, labels: { bound: 'idleTimeoutMs' } }, () => server.stats().idleEnded),
  ];
  return () => ends.forEach((end) => end());
}
