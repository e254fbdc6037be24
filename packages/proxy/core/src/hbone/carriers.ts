import {
  formatAddress,
  HBONE_PORT,
  isInternalAddress,
  isUnixAddress,
  type Address,
  type Endpoint,
  type UpstreamTls,
} from '@tulle/model';
import { SharedUse } from '../compile/shared-use.ts';
import type { Engine } from '../engine.ts';
import type { ClientTls, Socket } from '../ports.ts';
import { CarrierPool, type CarrierTls } from './carrier-pool.ts';
import type { ForwardedFor } from './forwarded.ts';
import { HboneMetrics } from './hbone-metrics.ts';
import type { TunnelCarriers, TunnellingCluster } from './tunnel-carriers.ts';
import { TunnelSocket, type TunnelSource } from './tunnel-socket.ts';

class SharedClientTls extends SharedUse implements CarrierTls {
  readonly tls: ClientTls;
  readonly #onEnd: () => void;

  constructor(tls: ClientTls, onEnd: () => void) {
    super();
    this.tls = tls;
    this.#onEnd = onEnd;
  }

  protected override end(): void {
    this.tls.close();
    this.#onEnd();
  }
}

/** By what the connections to an endpoint are shared: as whom one goes where. */
interface CarrierKey {
  readonly cluster: TunnellingCluster;
  readonly tls: string;
  readonly pool: string;
}

/** Of a tunnel that nobody can open. */
const NOBODY: TunnelSource = { forget() {}, again() {} };
const NOWHERE = { host: '', port: 0 };

/**
 * The connections that carry tunnels out of this proxy. They belong to no cluster: whatever leads to the same peer as the same
 * identity shares them, and they live on when a configuration replaces its clusters.
 */
export class Carriers implements TunnelCarriers {
  readonly inbound: HboneMetrics;
  readonly outbound: HboneMetrics;
  readonly #engine: Engine;
  readonly #pools: Map<string, CarrierPool> = new Map<string, CarrierPool>();
  readonly #tls: Map<string, SharedClientTls> = new Map<string, SharedClientTls>();

  /** Of endpoints that had a tunnel: making a key costs more than finding its pool. */
  readonly #keys: WeakMap<Endpoint, CarrierKey> = new WeakMap<Endpoint, CarrierKey>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.inbound = new HboneMetrics(engine.meter, 'inbound');
    this.outbound = new HboneMetrics(engine.meter, 'outbound');
  }

  connect(cluster: TunnellingCluster, endpoint: Endpoint, from: ForwardedFor | undefined): Socket {
    const { address, tunnel } = endpoint;
    const at = isUnixAddress(address) || isInternalAddress(address) ? NOWHERE : address;
    const authority = tunnel?.authority ?? formatAddress(address);
    const pool = this.#poolFor(cluster, endpoint);
    const source = typeof pool === 'string' ? NOBODY : pool;
    const socket = new TunnelSocket(source, this.#engine.turn, authority, at, from);
    if (typeof pool === 'string')
      socket.fail({
        kind: 'tls',
        reason: 'hbone-config',
        message: `no tunnel leads to ${authority}: ${pool}`,
      });
    else pool.take(socket);
    return socket;
  }

  /** @returns why there is none, as the rest of a sentence */
  #poolFor(cluster: TunnellingCluster, endpoint: Endpoint): CarrierPool | string {
    const { address, tunnel, identity } = endpoint;
    if (isUnixAddress(address) || isInternalAddress(address)) return 'it is no IP address';
    const { tls: config } = cluster.config;
    if (config === undefined) return 'its cluster has no TLS, which tunnels need';
    const target = tunnel?.address ?? { host: address.host, port: HBONE_PORT };
    const { tls: tlsKey, pool: key } = this.#keyOf(cluster, endpoint, config, target);
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    let tls: SharedClientTls;
    try {
      tls = this.#tlsOf(config, tlsKey);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    const pool = new CarrierPool(
      this.#engine,
      {
        address: target,
        tls,
        connectTimeoutMs: cluster.connectTimeoutMs,
        options: { ...cluster.connectOptions, expectedIdentity: identity },
      },
      () => this.#pools.delete(key),
    );
    this.#pools.set(key, pool);
    return pool;
  }

  #keyOf(cluster: TunnellingCluster, endpoint: Endpoint, config: UpstreamTls, target: Address): CarrierKey {
    const before = this.#keys.get(endpoint);
    if (before?.cluster === cluster) return before;
    const tls = JSON.stringify(config);
    const pool = JSON.stringify([tls, formatAddress(target), endpoint.identity, cluster.connectOptions]);
    const key = { cluster, tls, pool };
    this.#keys.set(endpoint, key);
    return key;
  }

  #tlsOf(config: UpstreamTls, key: string): SharedClientTls {
    let shared = this.#tls.get(key);
    if (shared === undefined) {
      const tls = this.#engine.transport.clientTls({ ...config, alpn: ['h2'] });
      shared = new SharedClientTls(tls, () => this.#tls.delete(key));
      this.#tls.set(key, shared);
    }
    return shared;
  }
}
