import type { Http2Keepalive } from '@tulle/model';

/** How long a peer may say nothing to PING, or take nothing of what is queued when the connection ends. */
export const SILENCE_MS = 10_000;

/**
 * A connection that carries tunnels is asked whether its peer lives: a node that lost its power says no goodbye, and a
 * tunnel has no answer whose absence anybody would notice. Half the shortest idle limit in common use (60 s, of cloud
 * load balancers), so that what lies between keeps the connection too.
 */
export const KEEPALIVE: Http2Keepalive = Object.freeze({
  intervalMs: 30_000,
  jitterPercent: 0,
  timeoutMs: SILENCE_MS,
});
