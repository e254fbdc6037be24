import { backoffDelayMs } from '@tulle/time';
import type { ClusterDiscovery, Endpoint } from '@tulle/model';
import { ofFamily } from './address-family.ts';
import { atAll } from './address-order.ts';
import type { ClusterRuntime } from './cluster.ts';

/** A name that holds for no time at all is still not asked for all the time. */
const MIN_TTL_MS = 1_000;

type DnsDiscovery = Extract<ClusterDiscovery, { kind: 'dns' }>;

/**
 * Resolves the names of a `dns` cluster again and again. A failing or empty answer changes nothing: endpoints that
 * worked are never replaced by none.
 */
export class NameResolution {
  readonly #cluster: ClusterRuntime;
  readonly #discovery: DnsDiscovery;
  readonly #known: Map<string, readonly string[]> = new Map<string, readonly string[]>();
  readonly #refreshMs: number;
  /** Rounds in a row in which a name could not be resolved. */
  #failedRounds = 0;
  #cancel: (() => void) | undefined;
  #closed = false;
  /** Settles after the first round, whatever came of it. */
  readonly ready: Promise<void>;

  constructor(cluster: ClusterRuntime, discovery: DnsDiscovery) {
    this.#cluster = cluster;
    this.#discovery = discovery;
    this.#refreshMs = discovery.refreshMs ?? 5_000;
    this.ready = this.#round();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #round(): Promise<void> {
    const { engine } = this.#cluster;
    const hosts = new Set(
      this.#discovery.endpoints.flatMap((endpoint) =>
        'host' in endpoint.address ? [endpoint.address.host] : [],
      ),
    );
    const { family, respectTtl = false } = this.#discovery;
    let failed = false;
    let ttlMs = Infinity;
    await Promise.all(
      [...hosts].map(async (host) => {
        try {
          const found = await engine.transport.resolve(host, respectTtl);
          const addresses = ofFamily(found.addresses, family);
          if (found.ttlMs !== undefined) ttlMs = Math.min(ttlMs, found.ttlMs);
          if (addresses.length > 0) this.#known.set(host, this.#someOf(host, addresses));
          else if (found.addresses.length > 0)
            throw new Error(`it has ${found.addresses.length} addresses, and none of the family ${family}`);
        } catch (error) {
          failed = true;
          engine.metrics.dnsFailures.add();
          engine.log.warn(
            `cluster ${this.#cluster.name}: ${host} could not be resolved; ${this.#known.has(host) ? 'its last addresses stay in use' : 'it has no address yet'}: ${error instanceof Error ? error.message : String(error)}`,
            { cluster: this.#cluster.name, host },
          );
        }
      }),
    );
    if (this.#closed) return;
    const endpoints = this.#discovery.endpoints.flatMap((endpoint) => this.#expand(endpoint));
    // What a name had stays known, so this is empty only when nothing was ever there.
    this.#cluster.setEndpoints(endpoints, this.#discovery.policy);
    this.#cancel = engine.clock.setTimer(this.#delayMs(failed, ttlMs), () => void this.#round());
  }

  /** Until the next round. @param ttlMs how long what was found holds; `Infinity`: nobody says */
  #delayMs(failed: boolean, ttlMs: number): number {
    const { failureRefresh, jitterMs = 0 } = this.#discovery;
    this.#failedRounds = failed ? this.#failedRounds + 1 : 0;
    if (failed && failureRefresh !== undefined) {
      const { baseMs, maxMs = 10 * baseMs } = failureRefresh;
      const delayMs = backoffDelayMs(this.#failedRounds, { baseMs, maxMs }, this.#cluster.engine.random);
      return Math.max(delayMs, baseMs / 2);
    }
    const waitMs = ttlMs === Infinity ? this.#refreshMs : Math.max(ttlMs, MIN_TTL_MS);
    return waitMs + (failed ? 0 : jitterMs * this.#cluster.engine.random());
  }

  /** As many addresses as are used of one name. */
  #someOf(host: string, addresses: readonly string[]): readonly string[] {
    const { engine, name } = this.#cluster;
    const { maxAddressesPerName } = engine.limits;
    const leftOut = addresses.length - maxAddressesPerName;
    if (leftOut <= 0) return addresses;
    engine.metrics.dnsAddressesLeftOut.add(leftOut);
    engine.log.warn(
      `cluster ${name}: ${host} has ${addresses.length} addresses; ${leftOut} are left out (maxAddressesPerName)`,
      { cluster: name, host },
    );
    return addresses.slice(0, maxAddressesPerName);
  }

  #expand(endpoint: Endpoint): Endpoint[] {
    const { address } = endpoint;
    if (!('host' in address)) return [endpoint];
    const addresses = this.#known.get(address.host) ?? [];
    const named = { ...endpoint, hostname: endpoint.hostname ?? address.host };
    if (this.#discovery.use === 'first')
      return addresses.length === 0 ? [] : [atAll(named, addresses, address.port)];
    return addresses.map((host) => ({ ...named, address: { host, port: address.port } }));
  }
}
