import type { Endpoint, UpstreamTls } from '@tulle/model';
import type { ConnectOptions, Socket } from '../ports.ts';
import type { ForwardedFor } from './forwarded.ts';
import type { HboneMetrics } from './hbone-metrics.ts';

/** What a tunnel to an endpoint depends on of its cluster. */
export interface TunnellingCluster {
  readonly config: { readonly tls?: UpstreamTls };
  readonly connectTimeoutMs: number;
  readonly connectOptions: Pick<ConnectOptions, 'keepalive' | 'sourceAddress' | 'network'>;
}

/** The connections that carry tunnels out of this proxy. */
export interface TunnelCarriers {
  readonly inbound: HboneMetrics;
  readonly outbound: HboneMetrics;
  /**
   * A connection to an endpoint of mode `hbone`; one that cannot be made fails like one that is refused.
   * @param from where what goes through it came from; `undefined`: from here
   */
  connect(cluster: TunnellingCluster, endpoint: Endpoint, from: ForwardedFor | undefined): Socket;
}
