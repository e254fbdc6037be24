import type { Http2Keepalive } from '@tulle/model';

/**
 * A connection that carries tunnels is asked whether its peer lives: a node that lost its power says no goodbye, and a
 * tunnel has no answer whose absence anybody would notice. Half the shortest idle limit in common use (60 s, of cloud
 * load balancers), so that what lies between keeps the connection too.
 */
export const KEEPALIVE: Http2Keepalive = Object.freeze({ intervalMs: 30_000, timeoutMs: 10_000 });
