import type { Counter, Meter } from '@tulle/telemetry';

/** What tunnels of one side do: `inbound` they are taken, `outbound` they are opened. */
export class HboneMetrics {
  readonly connections: Counter;
  readonly tunnels: Counter;
  readonly keepaliveTimeouts: Counter;
  /** Open now. */
  activeConnections = 0;
  activeTunnels = 0;
  readonly #meter: Meter;
  readonly #side: 'inbound' | 'outbound';
  readonly #refused: Map<number, Counter> = new Map<number, Counter>();

  constructor(meter: Meter, side: 'inbound' | 'outbound') {
    this.#meter = meter;
    this.#side = side;
    const labels = { side };
    this.connections = meter.counter('tulle_hbone_connections_total', {
      help: 'Connections made that carry tunnels',
      labels,
    });
    this.tunnels = meter.counter('tulle_hbone_tunnels_total', { help: 'Tunnels that stood', labels });
    this.keepaliveTimeouts = meter.counter('tulle_hbone_keepalive_timeouts_total', {
      help: 'Connections that carry tunnels closed since PING was not answered in time',
      labels,
    });
    meter.observed(
      'tulle_hbone_connections_active',
      { help: 'Open connections that carry tunnels', labels },
      () => this.activeConnections,
    );
    meter.observed('tulle_hbone_tunnels_active', { help: 'Open tunnels', labels }, () => this.activeTunnels);
  }

  /** @param status that CONNECT was answered with; 0: it was not answered */
  refused(status: number): void {
    let counter = this.#refused.get(status);
    if (counter === undefined) {
      counter = this.#meter.counter('tulle_hbone_tunnels_refused_total', {
        help: 'Tunnels that did not come about',
        labels: { side: this.#side, status: String(status) },
      });
      this.#refused.set(status, counter);
    }
    counter.add();
  }
}
