import type { Endpoint } from '@tulle/model';
import type { Engine } from '../engine.ts';
import { ClusterRuntime } from '../upstream/cluster.ts';

/** A host's addresses are looked up again when they are needed after this. */
const ADDRESSES_FOR_MS = 30_000;
/** As many addresses of one host are used. */
const MAX_ADDRESSES = 16;

/**
 * Hosts that filters call by URL: one cluster each, made for the first filter that needs it and closed with the last.
 * Names are looked up when they are used, so nothing happens in the background.
 */
export class Origins {
  readonly #engine: Engine;
  readonly #origins: Map<string, Origin> = new Map<string, Origin>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The cluster of a URL's host, its addresses known. @throws Error when the host has no address */
  async cluster(url: URL, owner: object): Promise<ClusterRuntime> {
    let origin = this.#origins.get(url.origin);
    if (origin === undefined) this.#origins.set(url.origin, (origin = new Origin(this.#engine, url)));
    origin.users.add(owner);
    await origin.addressed();
    return origin.cluster;
  }

  /** The owner is gone. */
  release(owner: object): void {
    for (const [name, origin] of this.#origins) {
      if (!origin.users.delete(owner) || origin.users.size > 0) continue;
      this.#origins.delete(name);
      origin.cluster.close();
    }
  }

  close(): void {
    for (const origin of this.#origins.values()) origin.cluster.close();
    this.#origins.clear();
  }
}

class Origin {
  readonly cluster: ClusterRuntime;
  readonly users: Set<object> = new Set<object>();
  readonly #engine: Engine;
  readonly #host: string;
  readonly #port: number;
  #knownAtMs = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(engine: Engine, url: URL) {
    const secure = url.protocol === 'https:';
    this.#engine = engine;
    this.#host = url.hostname.replace(/^\[|\]$/g, '');
    this.#port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
    const tls = secure
      ? engine.transport.clientTls({
          trust: { kind: 'system' },
          minVersion: 'TLSv1.2',
          // A certificate for an address names it; there is no server name to send then (RFC 6066 §3).
          ...(this.#isAddress ? {} : { serverName: this.#host }),
        })
      : undefined;
    this.cluster = new ClusterRuntime(
      engine,
      { name: `fetch|${this.#port}||${this.#host}`, discovery: { kind: 'static', endpoints: [] } },
      { tls, tlsMatches: [], proxyProtocol: undefined, passthrough: undefined },
      (name) => ({ name, current: undefined }),
    );
    this.cluster.start();
    if (this.#isAddress) {
      this.#knownAtMs = Infinity;
      this.cluster.setEndpoints([this.#endpoint(this.#host)]);
    }
  }

  get #isAddress(): boolean {
    return this.#host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(this.#host);
  }

  #endpoint(host: string): Endpoint {
    return { address: { host, port: this.#port } };
  }

  /** One look-up at a time. Addresses that worked stay in use when a later one fails. */
  addressed(): Promise<void> {
    const { clock } = this.#engine;
    if (clock.nowMs() - this.#knownAtMs < ADDRESSES_FOR_MS) return Promise.resolve();
    this.#looking ??= this.#engine.transport
      .resolve(this.#host)
      .then(
        ({ addresses }) => {
          this.cluster.setEndpoints(addresses.slice(0, MAX_ADDRESSES).map((host) => this.#endpoint(host)));
          this.#knownAtMs = clock.nowMs();
        },
        (error: unknown) => {
          this.#engine.metrics.dnsFailures.add();
          if (this.#knownAtMs === -Infinity) throw error;
        },
      )
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }
}
