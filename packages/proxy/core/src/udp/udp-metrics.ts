import type { Counter, Meter } from '@tulle/telemetry';

/** Why a datagram went nowhere. */
export type DropReason = 'sessions' | 'overload' | 'cluster' | 'endpoint' | 'limit' | 'queue' | 'port';

/** Counters of one listener of datagrams. */
export class UdpMetrics {
  readonly sessions: Counter;
  readonly idle: Counter;
  /** The endpoint of a session went away, or said that nobody listens there. */
  readonly endpointsGone: Counter;
  readonly received: Counter;
  readonly receivedBytes: Counter;
  readonly sent: Counter;
  readonly sentBytes: Counter;
  readonly errors: Counter;
  readonly #dropped: Readonly<Record<DropReason, Counter>>;
  readonly #stop: () => void;

  constructor(meter: Meter, listener: string, active: () => number) {
    const counter = (what: string, help: string, labels: Readonly<Record<string, string>> = {}): Counter =>
      meter.counter(`tulle_udp_${what}_total`, { help, labels: { listener, ...labels } });
    const dropped = (reason: DropReason): Counter =>
      counter('datagrams_dropped', 'Datagrams that went nowhere, by why', { reason });
    this.sessions = counter('sessions', 'Sessions begun');
    this.idle = counter('sessions_idle', 'Sessions that ended since nothing came for too long');
    this.endpointsGone = counter(
      'sessions_endpoint_gone',
      'Sessions that ended since their endpoint went away',
    );
    this.received = counter('datagrams_received', 'Datagrams of callers');
    this.receivedBytes = counter('received_bytes', 'Bytes in datagrams of callers');
    this.sent = counter('datagrams_sent', 'Datagrams to callers');
    this.sentBytes = counter('sent_bytes', 'Bytes in datagrams to callers');
    this.errors = counter('errors', 'Errors of the listening socket');
    this.#dropped = {
      sessions: dropped('sessions'),
      overload: dropped('overload'),
      cluster: dropped('cluster'),
      endpoint: dropped('endpoint'),
      limit: dropped('limit'),
      queue: dropped('queue'),
      port: dropped('port'),
    };
    this.#stop = meter.observed(
      'tulle_udp_sessions_active',
      { help: 'Sessions now', labels: { listener } },
      active,
    );
  }

  dropped(reason: DropReason): void {
    this.#dropped[reason].add();
  }

  close(): void {
    this.#stop();
  }
}
