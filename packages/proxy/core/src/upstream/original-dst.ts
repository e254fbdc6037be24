import {
  formatAddress,
  type Address,
  type Endpoint,
  type InternalAddress,
  type OriginalDstDiscovery,
} from '@tulle/model';
import type { TcpAddress } from '@tulle/model';
import type { ConnectionFacts } from '../listener/connection-facts.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { hostPortOf, isAddress } from './host-port.ts';
import type { OnDemandCluster, OnDemandEndpoints } from './on-demand.ts';

/** Where connections were going before they were led here (Envoy ORIGINAL_DST). */
export class OriginalDestinations implements OnDemandEndpoints {
  readonly #cluster: OnDemandCluster;
  readonly #config: OriginalDstDiscovery;
  /** By address, and whether they were used since the last sweep. */
  readonly #known: Map<string, { readonly endpoint: Endpoint; used: boolean }> = new Map<
    string,
    { readonly endpoint: Endpoint; used: boolean }
  >();
  #cancel: (() => void) | undefined;

  constructor(cluster: OnDemandCluster, config: OriginalDstDiscovery) {
    this.#cluster = cluster;
    this.#config = config;
  }

  find(stream: Stream): UpstreamEndpoint | string {
    const { header } = this.#config;
    const said = header === undefined ? undefined : stream.headers.get(header);
    if (said === undefined)
      return this.ofConnection(stream.downstream.connection as ConnectionFacts) ?? 'no_original_destination';
    const address = hostPortOf(said.trim(), 0);
    return address === undefined || !isAddress(address.host)
      ? 'invalid_original_destination'
      : this.#endpointAt(address);
  }

  ofConnection({ originalDestination }: ConnectionFacts): UpstreamEndpoint | undefined {
    if (originalDestination === undefined) return undefined;
    const found = this.#endpointAt(originalDestination);
    return typeof found === 'string' ? undefined : found;
  }

  forget(): void {}

  addressOf({ address }: Endpoint): Address | InternalAddress {
    return address;
  }

  serverNameOf(): string {
    return '';
  }

  close(): void {
    this.#cancel?.();
  }

  #endpointAt({ host, port }: TcpAddress): UpstreamEndpoint | string {
    const address = { host, port: this.#config.port ?? port };
    const key = formatAddress(address);
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size >= (this.#config.maxHosts ?? 4_096)) return 'original_destinations_overflow';
      known = { endpoint: { address }, used: true };
      this.#known.set(key, known);
      this.#tellCluster();
      this.#cancel ??= this.#sweepLater();
    }
    known.used = true;
    return this.#cluster.own.get(key) ?? 'no_original_destination';
  }

  #sweepLater(): () => void {
    return this.#cluster.engine.clock.setTimer(this.#config.cleanupMs ?? 5_000, () => {
      let dropped = false;
      for (const [key, known] of this.#known) {
        if (!known.used && this.#cluster.own.get(key)?.active === 0) dropped = this.#known.delete(key);
        known.used = false;
      }
      if (dropped) this.#tellCluster();
      this.#cancel = this.#known.size === 0 ? undefined : this.#sweepLater();
    });
  }

  #tellCluster(): void {
    this.#cluster.setEndpoints([...this.#known.values()].map(({ endpoint }) => endpoint));
  }
}
