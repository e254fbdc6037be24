import { DYNAMIC_METADATA, type MetadataValues } from '@tulle/filter';
import { formatAddress, type Endpoint, type OriginalDstDiscovery, type TcpAddress } from '@tulle/model';
import { metadataAt } from '@tulle/record-format';
import type { ConnectionFacts } from '../listener/connection-facts.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { hostPortOf, isAddress } from './host-port.ts';
import type { OnDemandCluster, OnDemandEndpoints } from './on-demand.ts';

/** Of filters that looked at the connection. */
function metadataOf({ state }: ConnectionFacts): Readonly<Record<string, MetadataValues>> | undefined {
  return state?.get(DYNAMIC_METADATA);
}

/** @returns `undefined` where it is no IP address with a port */
function addressIn(text: string | undefined): TcpAddress | undefined {
  const address = text === undefined ? undefined : hostPortOf(text.trim(), 0);
  return address !== undefined && isAddress(address.host) ? address : undefined;
}

/** Where connections were going before they were led here (Envoy ORIGINAL_DST). */
export class OriginalDestinations implements OnDemandEndpoints {
  readonly #cluster: OnDemandCluster;
  readonly #config: OriginalDstDiscovery;
  /** Of the metadata that is asked. */
  readonly #way: readonly string[] | undefined;
  /** By address, and whether they were used since the last sweep. */
  readonly #known: Map<string, { readonly endpoint: Endpoint; used: boolean }> = new Map<
    string,
    { readonly endpoint: Endpoint; used: boolean }
  >();
  #cancel: (() => void) | undefined;

  constructor(cluster: OnDemandCluster, config: OriginalDstDiscovery) {
    this.#cluster = cluster;
    this.#config = config;
    const { metadata } = config;
    this.#way = metadata && [metadata.namespace, ...metadata.path];
  }

  find(stream: Stream): UpstreamEndpoint | string {
    const { header } = this.#config;
    const connection = stream.downstream.connection as ConnectionFacts;
    const noted = this.#noted(stream.getSlot(DYNAMIC_METADATA)) ?? this.#noted(metadataOf(connection));
    const named = header === undefined ? undefined : stream.headers.get(header);
    if (noted === undefined && named === undefined)
      return this.#restored(connection) ?? 'no_original_destination';
    const address = addressIn(noted) ?? addressIn(named);
    return address === undefined ? 'invalid_original_destination' : this.#endpointAt(address);
  }

  ofConnection(facts: ConnectionFacts): UpstreamEndpoint | undefined {
    const noted = this.#noted(metadataOf(facts));
    if (noted === undefined) return this.#restored(facts);
    const address = addressIn(noted);
    return address && this.#knownAt(address);
  }

  #restored({ originalDestination }: ConnectionFacts): UpstreamEndpoint | undefined {
    return originalDestination && this.#knownAt(originalDestination);
  }

  #knownAt(address: TcpAddress): UpstreamEndpoint | undefined {
    const found = this.#endpointAt(address);
    return typeof found === 'string' ? undefined : found;
  }

  /** What stands at the configured place; `undefined`: no text. */
  #noted(metadata: Readonly<Record<string, MetadataValues>> | undefined): string | undefined {
    if (this.#way === undefined || metadata === undefined) return undefined;
    const value = metadataAt(metadata, this.#way);
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return typeof first === 'string' ? first : undefined;
  }

  forget(): void {}

  reachedAt(endpoint: Endpoint): Endpoint {
    return endpoint;
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
