import type { Counter, Histogram, Meter } from '@tulle/telemetry';

/** Counters of one cluster; names as Envoy's operators know them, `envoy_` replaced by `tulle_`. */
export class ClusterMetrics {
  readonly #meter: Meter;
  readonly #labels: { readonly cluster: string };
  readonly #stops: (() => void)[] = [];
  readonly #requests: Counter;
  readonly #classes: readonly Counter[];
  readonly #time: Histogram;
  readonly #retryRefusals: Map<string, Counter> = new Map<string, Counter>();
  readonly #redirects: Map<string, Counter> = new Map<string, Counter>();
  readonly #protocolErrors: Map<string, Counter> = new Map<string, Counter>();
  readonly #loadReports: Map<string, Counter> = new Map<string, Counter>();
  readonly #drops: Map<string, Counter> = new Map<string, Counter>();
  readonly #tlsRefusals: Map<string, Counter> = new Map<string, Counter>();
  readonly noEndpoint: Counter;
  readonly timeouts: Counter;
  readonly perTryTimeouts: Counter;
  readonly perTryIdleTimeouts: Counter;
  readonly retries: Counter;
  readonly staleReplays: Counter;
  readonly requestOverflow: Counter;
  readonly pendingOverflow: Counter;
  readonly connectionOverflow: Counter;
  readonly connections: Counter;
  readonly http1Connections: Counter;
  readonly http2Connections: Counter;
  readonly resetsSent: Counter;
  readonly goawaysReceived: Counter;
  readonly keepaliveTimeouts: Counter;
  readonly connectFailures: Counter;
  readonly connectTimeouts: Counter;
  readonly idleRetired: Counter;
  readonly resets: Counter;
  readonly drainOverflow: Counter;
  readonly flowPaused: Counter;
  readonly connectAttemptsExceeded: Counter;
  readonly ejections: Counter;
  readonly ejectionsRefused: Counter;
  readonly panicPicks: Counter;

  constructor(meter: Meter, cluster: string) {
    this.#meter = meter;
    const labels = (this.#labels = { cluster });
    const counter = (what: string, help: string): Counter =>
      meter.counter(`tulle_cluster_${what}_total`, { help, labels });
    this.#requests = counter('upstream_rq', 'Attempts answered by an endpoint');
    this.#classes = ['1', '2', '3', '4', '5'].map((digit) =>
      meter.counter('tulle_cluster_upstream_rq_xx_total', {
        help: 'Attempts answered, by class of status',
        labels: { cluster, response_code_class: digit },
      }),
    );
    this.#time = meter.histogram('tulle_cluster_upstream_rq_time_seconds', {
      help: 'Time from the start of an attempt to its response head',
      labels,
    });
    this.noEndpoint = counter('upstream_cx_none_healthy', 'Attempts for which no endpoint could be chosen');
    this.timeouts = counter('upstream_rq_timeout', 'Requests that hit the request timeout');
    this.perTryTimeouts = counter('upstream_rq_per_try_timeout', 'Attempts that hit the per-try timeout');
    this.perTryIdleTimeouts = counter(
      'upstream_rq_per_try_idle_timeout',
      'Attempts of which nothing came in time',
    );
    this.retries = counter('upstream_rq_retry', 'Retries that a policy asked for and that were made');
    this.staleReplays = counter(
      'upstream_rq_stale_replay',
      'Requests sent again because a kept-alive connection had gone',
    );
    this.requestOverflow = counter('upstream_rq_active_overflow', 'Requests refused by maxRequests');
    this.pendingOverflow = counter('upstream_rq_pending_overflow', 'Requests refused by maxPendingRequests');
    this.connectionOverflow = counter(
      'upstream_cx_overflow',
      'Times that maxConnections kept a connection from being opened',
    );
    this.connections = counter('upstream_cx', 'Connections opened');
    this.http1Connections = counter('upstream_cx_http1', 'Connections that speak HTTP/1');
    this.http2Connections = counter('upstream_cx_http2', 'Connections that speak HTTP/2');
    this.resetsSent = counter('upstream_rq_tx_reset', 'HTTP/2 streams that were reset towards an endpoint');
    this.goawaysReceived = counter(
      'upstream_cx_close_notify',
      'HTTP/2 connections whose endpoint said GOAWAY',
    );
    this.keepaliveTimeouts = counter(
      'upstream_cx_keepalive_timeout',
      'HTTP/2 connections closed since PING was not answered in time',
    );
    this.connectFailures = counter('upstream_cx_connect_fail', 'Connections that could not be opened');
    this.connectTimeouts = counter(
      'upstream_cx_connect_timeout',
      'Connections that were not there within connectTimeoutMs',
    );
    this.idleRetired = counter(
      'upstream_cx_idle_retired',
      'Connections retired for being idle, before the peer would',
    );
    this.resets = counter(
      'upstream_rq_rx_reset',
      'Attempts whose connection ended before their response did',
    );
    this.drainOverflow = counter(
      'upstream_cx_drain_overflow',
      'Connections closed since an unwanted response was longer than it was worth reading',
    );
    this.flowPaused = counter(
      'upstream_flow_control_paused_reading',
      'Times that an endpoint was not read on since bufferLimitBytes waited for the caller',
    );
    this.connectAttemptsExceeded = counter(
      'upstream_cx_connect_attempts_exceeded',
      'TCP connections given up since maxConnectAttempts endpoints could not be connected',
    );
    this.ejections = counter('outlier_detection_ejections_enforced', 'Endpoints ejected');
    this.ejectionsRefused = counter(
      'outlier_detection_ejections_overflow',
      'Ejections refused by maxEjectionPercent',
    );
    this.panicPicks = counter(
      'lb_healthy_panic',
      'Endpoints picked whatever their health, since fewer than panicThresholdPercent were healthy',
    );
  }

  /** An attempt got its response head. */
  answered(status: number, latencyMs: number): void {
    this.#requests.add();
    this.#classes[((status / 100) | 0) - 1]?.add();
    this.#time.observe(latencyMs / 1000);
  }

  /** Numbers that the engine has anyway, read on scrape. */
  observe(what: string, help: string, read: () => number): void {
    this.#stops.push(this.#meter.observed(`tulle_cluster_${what}`, { help, labels: this.#labels }, read));
  }

  retryRefused(reason: string): void {
    this.#labelled(
      this.#retryRefusals,
      'upstream_rq_retry_refused',
      'Retries that a policy asked for and the loop refused',
      'reason',
      reason,
    );
  }

  /** An answer led elsewhere. @param outcome of a closed set */
  internalRedirect(outcome: 'succeeded' | 'failed'): void {
    let counter = this.#redirects.get(outcome);
    if (counter === undefined) {
      counter = this.#meter.counter(`tulle_cluster_upstream_internal_redirect_${outcome}_total`, {
        help:
          outcome === 'succeeded'
            ? 'Answers whose redirect was followed for the caller'
            : 'Answers whose redirect was to be followed and went to the caller',
        labels: this.#labels,
      });
      this.#redirects.set(outcome, counter);
    }
    counter.add();
  }

  protocolError(rule: string): void {
    this.#labelled(
      this.#protocolErrors,
      'upstream_cx_protocol_error',
      'Responses that broke a rule of HTTP',
      'rule',
      rule,
    );
  }

  /** The configuration has so many categories as it has. */
  dropped(category: string): void {
    this.#labelled(
      this.#drops,
      'upstream_rq_drop_overload',
      'Requests refused since the control plane has a share of them refused',
      'category',
      category,
    );
  }

  loadReported(outcome: 'taken' | 'unusable'): void {
    this.#labelled(
      this.#loadReports,
      'load_reports',
      'Reports of load in answers of endpoints, where balancing goes by them',
      'outcome',
      outcome,
    );
  }

  tlsRefused(reason: string): void {
    let counter = this.#tlsRefusals.get(reason);
    if (counter === undefined) {
      counter = this.#meter.counter('tulle_tls_refused_total', {
        help: 'TLS peers that were refused',
        labels: { side: 'upstream', reason },
      });
      this.#tlsRefusals.set(reason, counter);
    }
    counter.add();
  }

  /** Label values come from closed sets, of this code base or of the configuration. */
  #labelled(table: Map<string, Counter>, what: string, help: string, label: string, value: string): void {
    let counter = table.get(value);
    if (counter === undefined) {
      counter = this.#meter.counter(`tulle_cluster_${what}_total`, {
        help,
        labels: { ...this.#labels, [label]: value },
      });
      table.set(value, counter);
    }
    counter.add();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#stops.length = 0;
  }
}
