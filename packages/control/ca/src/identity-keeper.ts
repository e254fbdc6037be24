import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { IdentitySnapshot, IdentitySource, TrustBundle } from '@tulle/model';
import {
  certificatesOfPem,
  createKeyAndCsr,
  createPeerVerifier,
  identityHolder,
  type KeyAndCsr,
} from '@tulle/spiffe';
import { backoffDelayMs, type Clock } from '@tulle/time';
import type { IssuedSvid } from './ca.ts';
import { expiryAlarm, type ExpiryShare } from './expiry-alarm.ts';

/** An identity with what is needed to renew it. */
export interface HeldIdentity {
  readonly snapshot: IdentitySnapshot;
  readonly leafEpoch: number;
  /** When the certificate came, by this machine's clock. Its life counts from here: `notBeforeMs` is dated back for slow clocks. */
  readonly obtainedAtMs: number;
}

/** What a CA hands out, as far as its receiver uses it. */
export type Issued = Pick<
  IssuedSvid,
  'certificateChainPem' | 'serial' | 'notBeforeMs' | 'notAfterMs' | 'leafEpoch' | 'bundles'
>;

export type KeeperEvent =
  | {
      readonly kind: 'renewed';
      readonly serial: string;
      readonly notAfterMs: number;
      readonly leafEpoch: number;
    }
  | { readonly kind: 'renewal-failed'; readonly error: Error; readonly retryInMs: number }
  /**
   * A renewal failed again, and that share of the certificate's life is over. Told once a share: at 0.5 there is as much
   * time left as it takes to look after the CA, at 0.9 handshakes are about to fail.
   */
  | { readonly kind: 'expiring'; readonly share: ExpiryShare; readonly notAfterMs: number }
  /** The certificate ended before it could be renewed: handshakes fail from now on. */
  | { readonly kind: 'lapsed'; readonly notAfterMs: number }
  | { readonly kind: 'bundles-changed'; readonly generations: readonly number[] }
  | { readonly kind: 'save-failed'; readonly error: Error };

export interface IdentityKeeperOptions {
  readonly spiffeId: string;
  readonly clock: Clock;
  /** Random number in [0, 1); default `Math.random`. */
  readonly random?: () => number;
  /** Has a request signed. An error with `permanent: true` ends the attempts while there is no identity yet. */
  readonly obtain: (csrDer: Buffer, held: HeldIdentity | undefined) => Promise<Issued>;
  /** Called with each identity taken into use, to keep it. */
  readonly save?: (held: HeldIdentity) => Promise<void>;
  readonly initial?: HeldIdentity;
  readonly onEvent?: (event: KeeperEvent) => void;
}

/** Keeps one workload's identity alive: a new key and certificate at half life, sooner when told. */
export interface IdentityKeeper extends IdentitySource {
  readonly held: HeldIdentity | undefined;
  /** Resolves with the first identity; rejects when it was refused for good or the keeper was closed. */
  ready(): Promise<IdentitySnapshot>;
  /** Takes other roots into use. */
  adoptBundles(bundles: readonly TrustBundle[]): void;
  /** Tells which leaf epoch the CA is at; an older leaf is renewed after a random part of `spreadMs`. */
  epochSeen(leafEpoch: number, spreadMs: number): void;
  /** Renews now; resolves when the new certificate is in use. */
  renewNow(): Promise<void>;
  /** Ends it; resolves when the last write of `save` is done. */
  close(): Promise<void>;
}

const backoffBaseMs = 250;
/** Renewals by half life are never closer together, however short the certificates or wrong the clocks. */
const minRenewalIntervalMs = 1_000;
/** Longest wait between attempts: short against the time that is left, which is half a lifetime when they begin. */
function backoffCapMs(lifetimeMs: number | undefined): number {
  return lifetimeMs === undefined ? 10_000 : Math.min(60_000, Math.max(1_000, lifetimeMs / 40));
}

export function createIdentityKeeper(options: IdentityKeeperOptions): IdentityKeeper {
  const { spiffeId, clock } = options;
  const random = options.random ?? Math.random;
  const report = options.onEvent ?? ((): void => undefined);
  const source = identityHolder(options.initial?.snapshot);
  let held = options.initial;
  let failures = 0;
  let wantedEpoch = 0;
  let closed = false;
  let lapsed = false;
  let running: Promise<void> | undefined;
  // One after the other, so that an older identity never lands on top of a newer one.
  let saving: Promise<void> = Promise.resolve();
  let cancelTimer = (): void => undefined;
  let dueMs = Infinity;
  const alarm = expiryAlarm();
  const first = Promise.withResolvers<IdentitySnapshot>();
  first.promise.catch(() => undefined);

  const arm = (atMs: number): void => {
    cancelTimer();
    dueMs = atMs;
    if (closed) return;
    // Long waits in steps: Node's timers end at 24 days, and a machine that slept is noticed within six hours.
    const waitMs = Math.min(Math.max(0, atMs - clock.epochMs()), 6 * 3_600_000);
    cancelTimer = clock.setTimer(waitMs, () => {
      if (clock.epochMs() < dueMs) arm(dueMs);
      else void run();
    });
  };

  const armForHalfLife = (): void => {
    if (held === undefined) return;
    const { obtainedAtMs, snapshot } = held;
    const lifetimeMs = snapshot.svid.notAfterMs - obtainedAtMs;
    arm(obtainedAtMs + Math.max(minRenewalIntervalMs, lifetimeMs * (0.5 + 0.01 * (2 * random() - 1))));
  };

  const take = (taken: HeldIdentity): void => {
    held = taken;
    lapsed = false;
    source.set(taken.snapshot);
    const { save: keep } = options;
    if (keep !== undefined)
      saving = saving
        .then(() => keep(taken))
        .catch((error: unknown) => report({ kind: 'save-failed', error: asError(error) }));
  };

  // Kept until it is certified: should an answer have been lost, the CA knows the key that spent the join token.
  let asked: KeyAndCsr | undefined;
  const attempt = async (): Promise<void> => {
    asked ??= await createKeyAndCsr(spiffeId);
    const { privateKeyPem, csrDer } = asked;
    const issued = await options.obtain(csrDer, held);
    if (closed) return;
    const next = heldFrom(issued, privateKeyPem, spiffeId, clock.epochMs());
    asked = undefined;
    take(next);
    const { serial, notAfterMs } = next.snapshot.svid;
    report({ kind: 'renewed', serial, notAfterMs, leafEpoch: next.leafEpoch });
    first.resolve(next.snapshot);
  };

  const failed = (error: Error): void => {
    if (held === undefined && 'permanent' in error && error.permanent === true) {
      first.reject(error);
      report({ kind: 'renewal-failed', error, retryInMs: Infinity });
      return;
    }
    const svid = held?.snapshot.svid;
    if (held !== undefined && svid !== undefined) {
      const { notAfterMs } = svid;
      const life = { id: svid.serial, fromMs: held.obtainedAtMs, untilMs: notAfterMs };
      const share = alarm.passed(life, clock.epochMs());
      if (share !== undefined) report({ kind: 'expiring', share, notAfterMs });
    }
    if (svid !== undefined && !lapsed && clock.epochMs() >= svid.notAfterMs) {
      lapsed = true;
      report({ kind: 'lapsed', notAfterMs: svid.notAfterMs });
    }
    const maxMs = backoffCapMs(
      held === undefined ? undefined : held.snapshot.svid.notAfterMs - held.obtainedAtMs,
    );
    failures = Math.min(failures + 1, 30);
    const retryInMs = Math.max(50, backoffDelayMs(failures, { baseMs: backoffBaseMs, maxMs }, random));
    report({ kind: 'renewal-failed', error, retryInMs });
    arm(clock.epochMs() + retryInMs);
  };

  const run = (): Promise<void> => {
    running ??= attempt().then(
      () => {
        running = undefined;
        failures = 0;
        armForHalfLife();
        if (held !== undefined && held.leafEpoch < wantedEpoch) {
          // Signed just before a rotation. Once more; should the CA still be behind, its next message decides.
          const again = wantedEpoch;
          wantedEpoch = 0;
          keeper.epochSeen(again, 1000);
        }
      },
      (error: unknown) => {
        running = undefined;
        if (!closed) failed(asError(error));
        throw error;
      },
    );
    running.catch(() => undefined);
    return running;
  };

  const keeper: IdentityKeeper = {
    current: () => source.current(),
    subscribe: (listener) => source.subscribe(listener),
    get held() {
      return held;
    },
    ready: () => first.promise,
    adoptBundles(bundles) {
      if (held === undefined || bundles.length === 0 || sameBundles(held.snapshot.bundles, bundles)) return;
      take({ ...held, snapshot: { svid: held.snapshot.svid, bundles } });
      report({ kind: 'bundles-changed', generations: bundles.map((bundle) => bundle.generation) });
    },
    epochSeen(leafEpoch, spreadMs) {
      if (held === undefined || leafEpoch <= held.leafEpoch || leafEpoch <= wantedEpoch) return;
      wantedEpoch = leafEpoch;
      const atMs = clock.epochMs() + random() * spreadMs;
      if (running === undefined && atMs < dueMs) arm(atMs);
    },
    async renewNow() {
      await running?.catch(() => undefined);
      await run();
    },
    close() {
      closed = true;
      cancelTimer();
      first.reject(new Error(`the identity of ${spiffeId} was closed before it had a certificate`));
      return saving;
    },
  };

  if (held === undefined) void run();
  else {
    first.resolve(held.snapshot);
    armForHalfLife();
  }
  return keeper;
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

function sameBundles(a: readonly TrustBundle[], b: readonly TrustBundle[]): boolean {
  const text = (bundles: readonly TrustBundle[]): string =>
    JSON.stringify(
      bundles.map((bundle) => [
        bundle.trustDomain,
        bundle.generation,
        ...bundle.rootsPem.map((pem) => pem.trim()),
      ]),
    );
  return text(a) === text(b);
}

/**
 * Joins what a CA issued with the key it was asked for, after checking that it is what was asked for: our key, our id,
 * a chain to the roots it came with.
 */
export function heldFrom(
  issued: Issued,
  privateKeyPem: string,
  spiffeId: string,
  nowMs: number,
): HeldIdentity {
  const [leaf, ...others] = certificatesOfPem(issued.certificateChainPem);
  if (leaf === undefined) throw new Error('the CA answered without a certificate');
  const verdict = createPeerVerifier({ bundles: issued.bundles, epochMs: () => nowMs }).verify(
    leaf,
    'client',
    () => others,
    [spiffeId],
  );
  if (!verdict.ok)
    throw new Error(`the CA's certificate cannot be used: ${verdict.reason}: ${verdict.detail}`);
  if (!new X509Certificate(leaf).checkPrivateKey(createPrivateKey(privateKeyPem)))
    throw new Error('the certificate is for another key');
  const { certificateChainPem, notBeforeMs, notAfterMs, serial, bundles, leafEpoch } = issued;
  return {
    snapshot: {
      svid: { spiffeId, certificateChainPem, privateKeyPem, notBeforeMs, notAfterMs, serial },
      bundles,
    },
    leafEpoch,
    obtainedAtMs: nowMs,
  };
}
