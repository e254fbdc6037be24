import type { MatchView } from '@tulle/match';
import type { Counter, Histogram, Meter } from '@tulle/telemetry';

/** What became of a request that endpoints were asked about. */
export interface CountedRequest {
  /** Seen by the caller; 0: none. */
  readonly status: number;
  readonly attempts: number;
  /** Why the last retry was refused; `''`: it was not. */
  readonly retryRefused: string;
  /** The answer is an endpoint's. */
  readonly answered: boolean;
  readonly timedOut: boolean;
  /** To the endpoint's response head; below 0: none came. */
  readonly serviceMs: number;
}

/** Finds what counts a request. */
export type CountersOf = (request: MatchView) => readonly RouteMetrics[];

/** Counters of a route or of a kind of requests, by names of the configuration (Envoy's `vhost.NAME.route.` and `vhost.NAME.vcluster.`). */
export class RouteMetrics {
  readonly #meter: Meter;
  readonly #labels: Readonly<Record<'virtual_host' | 'scope' | 'name', string>>;
  readonly #codes: Map<number, Counter> = new Map<number, Counter>();
  readonly #total: Counter;
  readonly #retries: Counter;
  readonly #retrySuccess: Counter;
  readonly #retryOverflow: Counter;
  readonly #retryLimit: Counter;
  readonly #timeouts: Counter;
  readonly #time: Histogram;

  /** @param scope which of the two it is */
  constructor(meter: Meter, virtualHost: string, scope: 'route' | 'vcluster', name: string) {
    this.#meter = meter;
    const labels = (this.#labels = { virtual_host: virtualHost, scope, name });
    const counter = (what: string, help: string): Counter =>
      meter.counter(`tulle_vhost_upstream_rq_${what}`, { help, labels });
    this.#total = counter('total', 'Attempts of requests that are counted apart');
    this.#retries = counter('retry_total', 'Repeated attempts of requests that are counted apart');
    this.#retrySuccess = counter(
      'retry_success_total',
      'Of these requests, those that a repeated attempt answered',
    );
    this.#retryOverflow = counter(
      'retry_overflow_total',
      'Of these requests, those whose retry the budget refused',
    );
    this.#retryLimit = counter(
      'retry_limit_exceeded_total',
      'Of these requests, those that were repeated as often as may be',
    );
    this.#timeouts = counter('timeout_total', 'Of these requests, those that hit their timeout');
    this.#time = meter.histogram('tulle_vhost_upstream_rq_time_seconds', {
      help: 'Time to the response head of requests that are counted apart',
      labels,
    });
  }

  /** An attempt has its connection. */
  attempted(): void {
    this.#total.add();
  }

  completed(request: CountedRequest): void {
    const { status, attempts, retryRefused, answered, serviceMs } = request;
    if (attempts > 1) this.#retries.add(attempts - 1);
    if (attempts > 1 && answered && status < 500) this.#retrySuccess.add();
    if (retryRefused === 'budget') this.#retryOverflow.add();
    if (retryRefused === 'limit') this.#retryLimit.add();
    if (request.timedOut) this.#timeouts.add();
    if (serviceMs >= 0) this.#time.observe(serviceMs / 1000);
    if (status > 0) this.#code(status).add();
  }

  /** Statuses have three digits: there are no more than five hundred. */
  #code(status: number): Counter {
    let counter = this.#codes.get(status);
    if (counter === undefined) {
      counter = this.#meter.counter('tulle_vhost_upstream_rq_code_total', {
        help: 'Requests that are counted apart, by status',
        labels: { ...this.#labels, response_code: String(status) },
      });
      this.#codes.set(status, counter);
    }
    return counter;
  }
}
