import type { Log } from '@tulle/filter';
import type { Refusal } from '@tulle/spiffe';
import { TokenBucket, systemClock, type Clock } from '@tulle/time';
import type { CaEvent } from './ca-events.ts';
import type { IdentityClientEvent } from './identity-client.ts';

type Level = keyof Log;
type Fields = Readonly<Record<string, unknown>>;

/** Lines of one message at once, before they are thinned. */
const burst = 10;
/** A message that comes all the time is written every ten seconds, with the number of those left out. */
const perSecond = 0.1;

/** Writes lines, of each message so many only. Messages are few, by their place in the code; what differs is in the fields. */
function thinned(log: Log, clock: Clock): (level: Level, message: string, fields?: Fields) => void {
  const known = new Map<string, { bucket: TokenBucket; leftOut: number }>();
  return (level, message, fields = {}) => {
    const nowMs = clock.nowMs();
    let one = known.get(message);
    if (one === undefined) {
      one = { bucket: new TokenBucket({ capacity: burst, refillPerSecond: perSecond }, nowMs), leftOut: 0 };
      known.set(message, one);
    }
    if (!one.bucket.take(1, nowMs)) {
      one.leftOut++;
      return;
    }
    log[level](message, one.leftOut === 0 ? fields : { ...fields, leftOut: one.leftOut });
    one.leftOut = 0;
  };
}

const dateOf = (ms: number): string => new Date(ms).toISOString();
const percent = (share: number): string => `${share * 100} %`;

const rootRotationLines = {
  distributing: 'a new root is being made known; the old one signs on',
  overlapping: 'everybody believes the new root; it signs from now on',
  finished: 'the old root is believed no more',
  abandoned: 'the new root was given up; the old one stays',
} as const;

/**
 * Writes what a CA does: certificates and rotations as info, refusals as warnings with reason, caller and the id that was
 * asked for, failures and the end of root or issuer as warnings and errors. Lines of one kind and reason are thinned to
 * ten at once and one every 10 s, with the number left out. For (part of) `CaOptions.onEvent`.
 */
export function caLog(log: Log, clock: Clock = systemClock()): (event: CaEvent) => void {
  const write = thinned(log, clock);
  return (event) => {
    switch (event.kind) {
      case 'issued': {
        const { spiffeId, serial, peer } = event;
        return write('info', `issued a certificate (${event.how})`, {
          spiffeId,
          serial,
          until: dateOf(event.notAfterMs),
          ...(peer === undefined ? {} : { peer }),
        });
      }
      case 'refused': {
        const { how, reason, detail, askedId, peer } = event;
        return write('warn', `refused a certificate (${how}): ${reason}`, {
          ...(askedId === undefined ? {} : { askedId }),
          ...(peer === undefined ? {} : { peer }),
          detail,
        });
      }
      case 'token-created':
        return write('info', 'made a join token', { id: event.id, spiffeId: event.spiffeId });
      case 'token-revoked':
        return write('info', 'revoked a join token', { id: event.id });
      case 'issuer-rotated':
        return write('info', 'a new issuer signs from now on', {
          id: event.issuerId,
          until: dateOf(event.notAfterMs),
        });
      case 'leaves-rotated':
        return write('info', 'all certificates are being renewed', { leafEpoch: event.leafEpoch });
      case 'rotation-failed':
        return write('error', 'a rotation could not go on; what signs now signs on', {
          reason: event.detail,
        });
      case 'root-rotation':
        return write('info', rootRotationLines[event.phase], { newRoot: event.rootId });
      case 'failed':
        return write(
          'error',
          event.how === 'save'
            ? 'the CA could not save who holds its certificates'
            : `the CA failed to issue a certificate (${event.how})`,
          { reason: event.detail },
        );
      case 'expiring': {
        const { authority, id, share, notAfterMs } = event;
        // An issuer is replaced by itself with a third of its life left; before that there is nothing to do.
        if (authority === 'issuer' && share === 0.5) return undefined;
        return write(
          share === 0.9 ? 'error' : 'warn',
          `${percent(share)} of the ${authority}'s life is over; ${
            authority === 'root'
              ? 'replace it (rotate-root) before it ends, or every identity ends with it'
              : 'it should have been replaced by itself, look for rotation failures'
          }`,
          { id, until: dateOf(notAfterMs) },
        );
      }
    }
  };
}

/**
 * Writes what goes wrong with an identity, and that it goes right again. Thinned like {@link caLog}. For (part of)
 * `IdentityClientOptions.onEvent`.
 */
export function identityLog(log: Log, clock: Clock = systemClock()): (event: IdentityClientEvent) => void {
  const write = thinned(log, clock);
  let lapsed = false;
  return (event) => {
    switch (event.kind) {
      case 'renewed':
        if (lapsed) write('warn', 'the identity is back', { until: dateOf(event.notAfterMs) });
        lapsed = false;
        return undefined;
      case 'renewal-failed':
        return write(
          'warn',
          lapsed
            ? 'there is no valid identity; handshakes fail'
            : 'the identity is not renewed yet; the current one serves on',
          { reason: event.error.message },
        );
      case 'expiring':
        return write(
          event.share === 0.9 ? 'error' : 'warn',
          `${percent(event.share)} of the certificate's life is over and it could not be renewed`,
          { until: dateOf(event.notAfterMs) },
        );
      case 'lapsed':
        lapsed = true;
        return write('error', 'the identity has lapsed; handshakes fail until the CA can be reached', {
          ended: dateOf(event.notAfterMs),
        });
      case 'save-failed':
        return write('warn', 'the identity could not be saved; a restart will need the CA', {
          reason: event.error.message,
        });
      case 'saved-unusable':
        return write('warn', 'the saved identity cannot be used', { reason: event.reason });
      case 'labels-not-granted':
        return write(
          'warn',
          'no token was got for labels that are other than before; Services that select by them may leave this workload out',
          { reason: event.error.message },
        );
      case 'watch-ended':
        return write('warn', 'the CA cannot be heard; rotations wait until it is back', {
          reason: event.error.message,
        });
      case 'not-in-use':
        return write('warn', 'not every process uses the newest identity yet', {
          reason: event.error.message,
        });
      case 'bundles-changed':
        return write('info', 'other roots are believed now', { generations: event.generations });
    }
  };
}

/** Writes connections that were not believed, thinned by reason. For (part of) `MeshGrpcServerOptions.onRefused`. */
export function refusalLog(
  log: Log,
  clock: Clock = systemClock(),
): (refused: Refusal & { readonly remoteAddress: string }) => void {
  const write = thinned(log, clock);
  return ({ reason, detail, claimedSpiffeId, remoteAddress }) =>
    write('warn', `refused a connection: ${reason}`, {
      peer: remoteAddress,
      ...(claimedSpiffeId === undefined ? {} : { claimed: claimedSpiffeId.slice(0, 200) }),
      detail,
    });
}
