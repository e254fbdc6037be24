import { type Json, PLAIN_ORIGINS } from './configuration.ts';
import { clusterOf, HTTP2_CLUSTER } from './resources.ts';
import { upstreamTls } from './tls-contexts.ts';

/** Clusters that every configuration may name: one for each origin, by its name, and `gone`, where nobody listens. */
export const STANDING_CLUSTERS: readonly Json[] = [
  ...[...PLAIN_ORIGINS, 'gone', 'echo', 'echo-b', 'waits', 'resets', 'greets'].map((name) =>
    clusterOf(name, [name]),
  ),
  clusterOf('h2', ['h2'], HTTP2_CLUSTER),
  clusterOf('gone-h2', ['gone'], HTTP2_CLUSTER),
  // As TCP: whoever is there gets the bytes as they come.
  clusterOf('tls-raw', ['tls']),
  clusterOf('tls', ['tls'], { transport_socket: upstreamTls({ sni: 'origin.test' }) }),
];
