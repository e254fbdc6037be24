import { join } from 'node:path';
import { createIdentityClient, type IdentityClient, type IdentityClientEvent } from '@tulle/ca';
import type { Log } from '@tulle/filter';
import type { SidecarOptions } from './options.ts';
import type { SidecarProgress } from './progress.ts';

const DEFAULT_START_TIMEOUT_MS = 60_000;

/** There was no identity in time: the CA cannot be reached, or does not answer. */
export class NoIdentityError extends Error {
  readonly code = 'TULLE_SIDECAR_NO_IDENTITY';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NoIdentityError';
  }
}

/** Opens the workload's identity; `ready` waits for the first certificate. */
export async function openIdentity(
  options: SidecarOptions,
  workload: { readonly namespace: string; readonly serviceAccount: string },
  log: Log,
  tell: (progress: SidecarProgress) => void,
): Promise<{ readonly identity: IdentityClient; ready(): Promise<void> }> {
  const { controlPlane, stateDir } = options;
  const address = controlPlane.ca ?? controlPlane.xds[0] ?? '';
  const first = waitForIdentity(address, options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS, tell);
  const identity = await createIdentityClient({
    ...workload,
    address,
    trustDomain: controlPlane.trustDomain,
    stateDir: join(stateDir, 'identity'),
    joinToken: options.joinToken,
    onEvent: (event) => {
      if (event.kind === 'renewal-failed' && first.failed(event.error)) return;
      logEvent(event, log);
    },
  });
  return { identity, ready: async () => first.done(identity) };
}

function logEvent(event: IdentityClientEvent, log: Log): void {
  switch (event.kind) {
    case 'renewal-failed':
      return log.warn('the identity is not renewed yet; the current one serves on', {
        reason: event.error.message,
      });
    case 'save-failed':
      return log.warn('the identity could not be saved; a restart will need the CA', {
        reason: event.error.message,
      });
    case 'watch-ended':
      return log.warn('the CA cannot be heard; rotations wait until it is back', {
        reason: event.error.message,
      });
    case 'lapsed':
      return log.error('the identity has lapsed; handshakes fail until the CA can be reached');
    case 'saved-unusable':
      return log.warn('the saved identity cannot be used', { reason: event.reason });
    default:
      return undefined; // good news
  }
}

/** Tells of attempts to get the first identity, and ends them in time. */
interface IdentityWait {
  /** @returns whether it was one of the attempts */
  failed(error: Error): boolean;
  /** @throws NoIdentityError after the time that is given; what `identity.ready()` throws */
  done(identity: IdentityClient): Promise<void>;
}

/** @param timeoutMs 0: no limit */
function waitForIdentity(
  address: string,
  timeoutMs: number,
  tell: (progress: SidecarProgress) => void,
): IdentityWait {
  const startedMs = performance.now();
  let waiting = true;
  let last: Error | undefined;
  return {
    failed(error) {
      if (!waiting) return false;
      last = error;
      const waitedMs = performance.now() - startedMs;
      tell({ kind: 'waiting-for-identity', address, reason: reasonOf(error), waitedMs });
      return true;
    },
    async done(identity) {
      const late = Promise.withResolvers<never>();
      const timer =
        timeoutMs === 0
          ? undefined
          : setTimeout(() => {
              const reason = last === undefined ? 'it does not answer' : reasonOf(last);
              late.reject(
                new NoIdentityError(
                  `${identity.spiffeId} got no identity from the CA at ${address} within ${timeoutMs / 1000} s: ${reason}`,
                  { cause: last },
                ),
              );
            }, timeoutMs);
      try {
        await Promise.race([identity.ready(), late.promise]);
      } finally {
        waiting = false;
        clearTimeout(timer);
      }
    },
  };
}

/** Node puts the addresses that it tried into errors of their own, and leaves the message empty. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map((one) => (one instanceof Error ? one.message : String(one))).join(', ');
  return error.message === '' ? error.name : error.message;
}
