import { formatAddress, type Endpoint, type ForwardProxyDiscovery, type TcpAddress } from '@tulle/model';
import { backoffDelayMs } from '@tulle/time';
import { attemptFailed, endpointChosen } from '../attempts/attempts.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { ofFamily } from './address-family.ts';
import { atAll } from './address-order.ts';
import { hostPortOf, isAddress } from './host-port.ts';
import type { OnDemandCluster, OnDemandEndpoints } from './on-demand.ts';

/** A host that was asked for. */
interface Host {
  readonly endpoint: Endpoint;
  readonly name: string;
  addresses: readonly string[];
  /** Look-ups in a row that failed. */
  failures: number;
  usedAtMs: number;
  /** Of its first look-up. */
  waiters: Set<Stream> | undefined;
  cancel: (() => void) | undefined;
}

const DNS_FAILED = 'dns_resolution_failure';

/**
 * The hosts that requests of a forward proxy name (Envoy's DNS cache). A host is an endpoint by its name, so that two names
 * with one address have nothing in common but that; where it is, is looked up again and again while it is used.
 */
export class ForwardProxyHosts implements OnDemandEndpoints {
  readonly #cluster: OnDemandCluster;
  readonly #config: ForwardProxyDiscovery;
  /** Those used last come last. */
  readonly #hosts: Map<string, Host> = new Map<string, Host>();
  #pending = 0;
  #closed = false;

  constructor(cluster: OnDemandCluster, config: ForwardProxyDiscovery) {
    this.#cluster = cluster;
    this.#config = config;
    for (const address of config.preresolve ?? []) this.#add(address, cluster.engine.clock.nowMs());
  }

  find(stream: Stream): UpstreamEndpoint | string | undefined {
    const target = hostPortOf(stream.authority, this.#cluster.tls === undefined ? 80 : 443);
    if (target === undefined) return 'forward_proxy_without_host';
    const { nowMs } = this.#cluster.engine.turn;
    const key = formatAddress(target);
    const known = this.#hosts.get(key);
    const host = known ?? this.#add(target, nowMs);
    if (host === undefined) return 'dns_cache_overflow';
    if (known !== undefined && known.usedAtMs !== nowMs) {
      this.#hosts.delete(key);
      this.#hosts.set(key, known);
    }
    host.usedAtMs = nowMs;
    if (host.addresses.length > 0) return this.#stateOf(host);
    if (host.waiters === undefined) return DNS_FAILED;
    if (this.#pending >= (this.#config.maxPendingRequests ?? 1_024))
      return 'dns_cache_pending_requests_overflow';
    this.#pending++;
    host.waiters.add(stream);
    return undefined;
  }

  /** A connection names no host. */
  ofConnection(): undefined {
    return undefined;
  }

  forget(stream: Stream): void {
    for (const { waiters } of this.#hosts.values()) if (waiters?.delete(stream) === true) this.#pending--;
  }

  reachedAt(endpoint: Endpoint): Pick<Endpoint, 'address' | 'additionalAddresses'> {
    const { address } = endpoint;
    const known = this.#hosts.get(formatAddress(address))?.addresses ?? [];
    return 'port' in address ? atAll(endpoint, known, address.port) : endpoint;
  }

  serverNameOf({ hostname = '' }: Endpoint): string {
    return isAddress(hostname) ? '' : hostname;
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#hosts.values()) cancel?.();
  }

  #stateOf(host: Host): UpstreamEndpoint | string {
    return this.#cluster.own.get(formatAddress(host.endpoint.address)) ?? DNS_FAILED;
  }

  /** @returns `undefined` where there are too many */
  #add(address: TcpAddress, nowMs: number): Host | undefined {
    if (this.#hosts.size >= (this.#config.maxHosts ?? 1_024) && !this.#makeRoom()) return undefined;
    const host: Host = {
      endpoint: { address, hostname: address.host },
      name: address.host,
      addresses: [],
      failures: 0,
      usedAtMs: nowMs,
      waiters: new Set<Stream>(),
      cancel: undefined,
    };
    this.#hosts.set(formatAddress(address), host);
    if (isAddress(address.host)) {
      host.waiters = undefined;
      host.addresses = [address.host];
      this.#tellCluster();
      this.#again(host, this.#config.hostTtlMs ?? 300_000);
    } else void this.#lookUp(host);
    return host;
  }

  /**
   * Whoever names one host after the other must not shut out others until each is forgotten: the one that was used longest ago goes,
   * unless it is in use or waited for. @returns whether one went
   */
  #makeRoom(): boolean {
    for (const [key, host] of this.#hosts) {
      if (host.waiters !== undefined || (this.#cluster.own.get(key)?.active ?? 0) > 0) continue;
      host.cancel?.();
      this.#hosts.delete(key);
      this.#cluster.engine.metrics.forwardProxyEvictions.add();
      return true;
    }
    return false;
  }

  async #lookUp(host: Host): Promise<void> {
    const { engine } = this.#cluster;
    let failure: string | undefined;
    let found: readonly string[] = [];
    try {
      const answer = await this.#inTime(engine.transport.resolve(host.name));
      found = ofFamily(answer.addresses, this.#config.family).slice(0, engine.limits.maxAddressesPerName);
      if (found.length === 0) failure = 'it has no address of that family';
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    // Also where the cluster was replaced meanwhile: who waits here is served by it.
    engine.turn.begin();
    try {
      if (failure === undefined) this.#resolved(host, found);
      else this.#notResolved(host, failure);
    } catch (defect) {
      engine.logDefect(defect);
    } finally {
      engine.turn.end();
    }
  }

  #inTime<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#config.queryTimeoutMs ?? 5_000;
      const cancel = this.#cluster.engine.clock.setTimer(timeoutMs, () =>
        reject(new Error(`no answer within ${timeoutMs} ms`)),
      );
      promise.then(resolve, reject).finally(cancel);
    });
  }

  #resolved(host: Host, addresses: readonly string[]): void {
    const isNew = host.addresses.length === 0;
    host.addresses = addresses;
    host.failures = 0;
    if (isNew) this.#tellCluster();
    this.#again(host, this.#config.refreshMs ?? 60_000);
    for (const stream of this.#takeWaiters(host)) {
      const state = this.#stateOf(host);
      if (typeof state === 'string') attemptFailed(stream, 'TULLE_UPSTREAM_NO_ENDPOINT', true, state);
      else endpointChosen(stream, state);
    }
  }

  /** Addresses that worked stay. */
  #notResolved(host: Host, failure: string): void {
    const { engine, name } = this.#cluster;
    engine.metrics.dnsFailures.add();
    engine.log.warn(`cluster ${name}: ${JSON.stringify(host.name)} could not be resolved: ${failure}`, {
      cluster: name,
      host: host.name,
    });
    host.failures++;
    const { baseMs = 2_000, maxMs = Math.max(10_000, baseMs) } = this.#config.failureRefresh ?? {};
    this.#again(host, Math.max(backoffDelayMs(host.failures, { baseMs, maxMs }, engine.random), baseMs / 2));
    for (const stream of this.#takeWaiters(host))
      attemptFailed(stream, 'TULLE_UPSTREAM_NO_ENDPOINT', true, DNS_FAILED);
  }

  #takeWaiters(host: Host): readonly Stream[] {
    const waiters = [...(host.waiters ?? [])];
    host.waiters = undefined;
    this.#pending -= waiters.length;
    for (const stream of waiters) stream.waiting = false;
    return waiters;
  }

  /** Looks it up once more, or forgets it where nobody uses it. */
  #again(host: Host, delayMs: number): void {
    if (this.#closed || this.#hosts.get(formatAddress(host.endpoint.address)) !== host) return;
    const { clock } = this.#cluster.engine;
    host.cancel = clock.setTimer(delayMs, () => {
      const key = formatAddress(host.endpoint.address);
      const { active = 0 } = this.#cluster.own.get(key) ?? {};
      if (active > 0) host.usedAtMs = clock.nowMs();
      if (clock.nowMs() - host.usedAtMs >= (this.#config.hostTtlMs ?? 300_000)) {
        this.#hosts.delete(key);
        this.#tellCluster();
      } else if (isAddress(host.name)) this.#again(host, this.#config.hostTtlMs ?? 300_000);
      else void this.#lookUp(host);
    });
  }

  #tellCluster(): void {
    this.#cluster.setEndpoints(
      [...this.#hosts.values()].flatMap(({ endpoint, addresses }) =>
        addresses.length > 0 ? [endpoint] : [],
      ),
    );
  }
}
