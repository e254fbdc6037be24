/**
 * Datagrams of a listener are led to endpoints, and theirs back, by sessions (Envoy `envoy.filters.udp_listener.udp_proxy`).
 * What comes from one address and port is one session: its endpoint is chosen with its first datagram, in clear whatever the
 * cluster says of TLS, which is for connections, and stays until the session rests too long or the endpoint is gone.
 */
export interface UdpProxy {
  /** Label in Envoy's metrics; default the listener's name. */
  readonly statPrefix?: string;
  /** Each session goes to one of them, drawn by weight. */
  readonly clusters: readonly UdpShare[];
  /** A session over which nothing has come for so long, either way, is over. Default 60,000 (Envoy). */
  readonly idleTimeoutMs?: number;
  /** What sessions have in common that go to the same endpoint, where balancing goes by hashes. Default nothing. */
  readonly hash?: 'source-ip';
  /**
   * Sessions at a time; datagrams of further ones are dropped and counted. Default 16,384: each has a port of its own, of which
   * Linux gives 28,232 (`ip_local_port_range`).
   */
  readonly maxSessions?: number;
}

/** A cluster with its share of the sessions. */
export interface UdpShare {
  readonly name: string;
  /** Default 1. */
  readonly weight?: number;
}
