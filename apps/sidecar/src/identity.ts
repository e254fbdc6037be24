import { join } from 'node:path';
import { createIdentityClient, identityLog, identityMetrics, type IdentityClient } from '@tulle/ca';
import type { Log } from '@tulle/filter';
import type { Meter } from '@tulle/telemetry';
import type { IdentitySnapshot } from '@tulle/model';
import type { SidecarOptions } from './options.ts';
import type { SidecarProgress } from './progress.ts';

/** What an identity is opened with. */
export type IdentityOptions = Pick<
  SidecarOptions,
  'controlPlane' | 'stateDir' | 'joinToken' | 'labels' | 'instance' | 'startTimeoutMs'
>;
/** What is told while it is waited for. */
export type IdentityProgress = Extract<SidecarProgress, { readonly kind: 'waiting-for-identity' }>;

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
  options: IdentityOptions,
  workload: { readonly namespace: string; readonly serviceAccount: string },
  log: Log,
  meter: Meter,
  inUse: (snapshot: IdentitySnapshot) => Promise<void>,
  tell: (progress: IdentityProgress) => void,
): Promise<{ readonly identity: IdentityClient; ready(): Promise<void> }> {
  const { controlPlane, stateDir } = options;
  const address = controlPlane.ca ?? controlPlane.xds[0] ?? '';
  const first = waitForIdentity(address, options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS, tell);
  const measure = identityMetrics(meter);
  const write = identityLog(log);
  const identity = await createIdentityClient({
    ...workload,
    address,
    trustDomain: controlPlane.trustDomain,
    stateDir: join(stateDir, 'identity'),
    joinToken: options.joinToken,
    labels: options.labels,
    instance: options.instance,
    inUse,
    onEvent: (event) => {
      measure(event);
      if (event.kind === 'renewal-failed' && first.failed(event.error)) return;
      write(event);
    },
  });
  return { identity, ready: async () => first.done(identity) };
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
  tell: (progress: IdentityProgress) => void,
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
