import { CONTINUE, defineHttpFilter, type FilterHost, type HttpFilter, type HttpHooks } from '@tulle/filter';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  adaptiveConcurrencyFilterSchema,
  type AdaptiveConcurrencyFilterConfig,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { GradientController } from './gradient-controller.ts';

/** Decision note (decision D10): refused; the value is the limit. */
export const NOTE_LIMITED = 1;

/** A request that counts. */
interface Admitted {
  /** `undefined`: it was refused, or never asked. */
  controller: GradientController | undefined;
  beganMs: number;
}

/**
 * Lets so many requests be under way as the service answers without making them wait for each other, and refuses the
 * others with 503 `TULLE_CONCURRENCY_LIMITED`. How long a request takes is from its head to the head of the endpoint's
 * answer: what comes after depends on the caller too.
 */
export const adaptiveConcurrency: HttpFilter<
  AdaptiveConcurrencyFilterConfig,
  AdaptiveConcurrencyFilterConfig,
  Admitted
> = defineHttpFilter<AdaptiveConcurrencyFilterConfig, AdaptiveConcurrencyFilterConfig, Admitted>({
  apiVersion: 1,
  id: ADAPTIVE_CONCURRENCY_FILTER,
  summary: 'Limits the requests under way to what the service answers without delay, found out by itself.',
  config: jsonSchema<AdaptiveConcurrencyFilterConfig>(adaptiveConcurrencyFilterSchema),
  routeConfig: jsonSchema<AdaptiveConcurrencyFilterConfig>(adaptiveConcurrencyFilterSchema),
  /** A route's replaces the chain's, and finds out for itself. */
  mergeRoute: (_base, override) => override,
  phase: 'limit',
  unrouted: true,
  effects: 'local',
  notes: { [NOTE_LIMITED]: 'limited to requests under way' },
  state: {
    create: () => ({ controller: undefined, beganMs: 0 }),
    reset(state) {
      state.controller = undefined;
    },
  },
  create: createAdaptiveConcurrency,
});

function createAdaptiveConcurrency(
  host: FilterHost,
  config: AdaptiveConcurrencyFilterConfig,
): HttpHooks<AdaptiveConcurrencyFilterConfig, Admitted> {
  const blocked = host.counter(
    'adaptive_concurrency_rq_blocked_total',
    'Requests refused since as many as the limit allows were under way',
  );
  const limit = host.gauge('adaptive_concurrency_limit', 'Requests that may be under way at a time');
  const minRtt = host.gauge(
    'adaptive_concurrency_min_rtt_msecs',
    'Time to an answer while few requests were under way, in milliseconds',
  );
  const sampleRtt = host.gauge(
    'adaptive_concurrency_sample_rtt_msecs',
    'Time to an answer in the last interval, in milliseconds',
  );
  const gradient = host.gauge(
    'adaptive_concurrency_gradient',
    'By what the limit was multiplied last, before its headroom',
  );
  const measuring = host.gauge(
    'adaptive_concurrency_min_rtt_calculation_active',
    'Whether the time to an answer is measured with few requests under way',
  );
  const controllerOf = perConfig(
    (inForce: AdaptiveConcurrencyFilterConfig) =>
      new GradientController(
        inForce,
        host.nowMs(),
        () => host.random(),
        (report) => {
          limit.set(report.limit);
          minRtt.set(report.minRttMs);
          sampleRtt.set(report.sampleRttMs);
          gradient.set(report.gradient);
          measuring.set(report.measuring ? 1 : 0);
        },
      ),
  );
  controllerOf(config);
  return {
    requestHeaders(stream, inForce, state) {
      const controller = controllerOf(inForce);
      const nowMs = host.nowMs();
      if (controller.enter(nowMs)) {
        state.controller = controller;
        state.beganMs = nowMs;
        return CONTINUE;
      }
      blocked.add();
      stream.note(NOTE_LIMITED, controller.limit);
      return stream.reply(inForce.status ?? 503, 'TULLE_CONCURRENCY_LIMITED');
    },
    responseHeaders(stream, _inForce, { controller, beganMs }) {
      // What is answered here says nothing of the service.
      if (controller !== undefined && stream.response.origin === 'upstream')
        controller.sample(beganMs, host.nowMs());
      return CONTINUE;
    },
    complete(_stream, _inForce, { controller }) {
      controller?.leave();
      return undefined;
    },
  };
}
