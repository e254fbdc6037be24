import {
  addMetadata,
  callGrpc,
  CONTINUE,
  defineHttpFilter,
  DYNAMIC_METADATA,
  isTulleError,
  type FilterHost,
  type HookResult,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import { isGrpcContentType, loadRegexEngine } from '@tulle/match';
import {
  GLOBAL_RATE_LIMIT_FILTER,
  globalRateLimitFilterSchema,
  globalRateLimitRouteSchema,
  type GlobalRateLimitFilterConfig,
  type GlobalRateLimitRouteConfig,
} from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import {
  checkOwn,
  descriptorsOf,
  describeBy,
  type Descriptor,
  type Later,
  type Moment,
} from './descriptors.ts';
import { applyEdits } from './header-edits.ts';
import type { Answer, RateFields } from './service-messages.ts';

/** Decision notes (decision D10): the service's answer, and the lack of one; the value is how many descriptors it was asked about. */
export const NOTE_WITHIN_LIMIT = 1;
export const NOTE_OVER_LIMIT = 2;
export const NOTE_NO_ANSWER = 3;

/** A larger answer is no answer. */
const MAX_ANSWER_BYTES = 262_144;

/** What is remembered of a stream until its response. */
interface CallState extends Later {
  /** The stream is. */
  over: boolean;
  /** The service has not answered yet. */
  waiting: boolean;
  /** Whether the answer refused the request. */
  refused: boolean;
  answer: Answer | undefined;
  rate: RateFields | undefined;
}

/** The configuration in force, a route's own actions with it. */
type InForce = GlobalRateLimitFilterConfig;

/** Under which name later filters find what the service tells them. */
const METADATA_NAMESPACE = 'envoy.filters.http.ratelimit';

/**
 * Rate limits that a service counts for all proxies: it is asked about every request that it or its route describes. Where it gives
 * no answer in time the request goes on, unless the operator said otherwise.
 */
export const globalRateLimit: HttpFilter<GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig, CallState> =
  defineHttpFilter<GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig, CallState>({
    apiVersion: 1,
    id: GLOBAL_RATE_LIMIT_FILTER,
    summary: 'Asks a service, over gRPC, whether a request is within the limits of all proxies together.',
    config: jsonSchema<GlobalRateLimitFilterConfig>(globalRateLimitFilterSchema),
    routeConfig: jsonSchema<GlobalRateLimitRouteConfig>(globalRateLimitRouteSchema, { defaults: false }),
    mergeRoute(base, override) {
      checkOwn(override.rateLimits);
      return { ...base, ...override };
    },
    provides: [DYNAMIC_METADATA],
    phase: 'limit',
    effects: 'external',
    notes: {
      [NOTE_WITHIN_LIMIT]: 'within limit, descriptors',
      [NOTE_OVER_LIMIT]: 'over limit, descriptors',
      [NOTE_NO_ANSWER]: 'no answer, descriptors',
    },
    state: {
      create: () => ({
        over: false,
        waiting: false,
        refused: false,
        atEnd: false,
        answer: undefined,
        rate: undefined,
      }),
      reset(state) {
        state.over = state.waiting = state.refused = state.atEnd = false;
        state.answer = undefined;
        state.rate = undefined;
      },
    },
    create: createGlobalRateLimit,
  });

async function createGlobalRateLimit(
  host: FilterHost,
  config: GlobalRateLimitFilterConfig,
): Promise<HttpHooks<GlobalRateLimitFilterConfig, CallState>> {
  // What routes say may have patterns.
  await loadRegexEngine();
  checkOwn(config.rateLimits);
  const { decodeResponse, encodeRequest, METHOD, rateOf, secondsUntilReset } =
    await import('./service-messages.ts');
  const counter = (result: string): ReturnType<FilterHost['counter']> =>
    host.counter('global_ratelimit_calls_total', 'Calls of the rate limit service by what came of them', {
      result,
    });
  const [within, overLimit, errors] = [counter('ok'), counter('over_limit'), counter('error')];
  const passed = host.counter(
    'global_ratelimit_failure_mode_allowed_total',
    'Requests that went on without an answer',
  );
  const activeGauge = host.gauge(
    'global_ratelimit_calls_active',
    'Calls of the rate limit service under way',
  );
  let active = 0;
  let working = true;

  return {
    requestHeaders(stream, inForce: InForce, state): HookResult {
      const { percent, requests, maxActiveCalls = 1_024 } = inForce;
      // A route that answers itself costs nobody anything, as in Envoy.
      if (stream.route?.cluster === undefined) return CONTINUE;
      if (!draw(percent)) return CONTINUE;
      if (
        requests !== undefined &&
        (stream.request.headers.get('x-envoy-internal') === 'true') !== (requests === 'internal')
      )
        return CONTINUE;
      const descriptors = described(stream, inForce, 'begin', state);
      if (descriptors.length === 0) return CONTINUE;
      if (active >= maxActiveCalls)
        return unanswered(stream, inForce, descriptors.length, 'maxActiveCalls are under way');
      return ask(stream, inForce, state, descriptors);
    },
    responseHeaders(stream, inForce, state) {
      if (state.answer !== undefined) mark(stream, inForce, state, state.answer);
      return CONTINUE;
    },
    complete(stream, inForce, state) {
      state.over = true;
      // What was not answered before is not told of either.
      if (state.atEnd && !state.waiting) tell(inForce, described(stream, inForce, 'end'));
      return undefined;
    },
  };

  function described(
    stream: HttpStream,
    { stage = 0, rateLimits, host: whose = 'override' }: InForce,
    moment: Moment,
    later?: Later,
  ): readonly Descriptor[] {
    return rateLimits === undefined
      ? descriptorsOf(stream, stage, whose, moment, later)
      : describeBy(stream, rateLimits, stage, moment, later);
  }

  function draw(percent: number | undefined): boolean {
    return percent === undefined || percent >= 100 || host.random() * 100 < percent;
  }

  function call(
    { cluster, authority, domain, timeoutMs = 20 }: InForce,
    descriptors: readonly Descriptor[],
  ): ReturnType<typeof callGrpc> {
    return callGrpc(host, {
      cluster,
      ...(authority === undefined ? {} : { authority }),
      path: METHOD,
      message: encodeRequest(domain, descriptors),
      timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
    });
  }

  /** Tells the service of a request that is over; nobody waits for what it says. */
  function tell(inForce: InForce, descriptors: readonly Descriptor[]): void {
    if (descriptors.length === 0) return;
    if (active >= (inForce.maxActiveCalls ?? 1_024)) {
      errors.add();
      return;
    }
    activeGauge.set((active += 1));
    void call(inForce, descriptors).then(
      ({ status }) => told(status === 0),
      () => told(false),
    );
  }

  function told(taken: boolean): void {
    activeGauge.set((active -= 1));
    if (!taken) errors.add();
  }

  async function ask(
    stream: HttpStream,
    inForce: InForce,
    state: CallState,
    descriptors: readonly Descriptor[],
  ): Promise<Verdict> {
    activeGauge.set((active += 1));
    state.waiting = true;
    let answer: Answer | undefined;
    let fault = '';
    try {
      const reply = await call(inForce, descriptors);
      if (reply.status !== 0) fault = `status ${reply.status} ${reply.text}`;
      else {
        answer = reply.message && decodeResponse(reply.message);
        fault = answer === undefined ? 'the answer is none of the rate limit service' : '';
      }
    } catch (error) {
      fault = isTulleError(error) ? `${error.code} ${error.message}` : String(error);
    }
    activeGauge.set((active -= 1));
    // The caller went away meanwhile: nobody acts on this verdict.
    if (state.over) return CONTINUE;
    state.waiting = false;
    if (answer === undefined) return unanswered(stream, inForce, descriptors.length, fault);
    return settle(stream, inForce, state, answer, descriptors);
  }

  function settle(
    stream: HttpStream,
    inForce: InForce,
    state: CallState,
    answer: Answer,
    descriptors: readonly Descriptor[],
  ): Verdict {
    if (!working) {
      working = true;
      host.log.info('the rate limit service answers again');
    }
    state.answer = answer;
    state.rate = rateOf(
      answer.statuses,
      (index) => (descriptors[index]?.rateHeaders ?? inForce.rateHeaders) === true,
    );
    if (answer.metadata !== undefined)
      addMetadata(stream, inForce.metadataNamespace ?? METADATA_NAMESPACE, answer.metadata);
    (answer.limited ? overLimit : within).add();
    stream.note(answer.limited ? NOTE_OVER_LIMIT : NOTE_WITHIN_LIMIT, descriptors.length);
    if (!answer.limited || !draw(inForce.enforcedPercent)) {
      each(answer.requestHeaders, (name, value) => stream.request.headers.append(name, value));
      return CONTINUE;
    }
    state.refused = true;
    const grpc = inForce.resourceExhausted === true && isGrpcCall(stream);
    return stream.reply(
      inForce.status ?? 429,
      'TULLE_RATE_LIMITED',
      answer.body.length === 0 ? undefined : answer.body,
      grpc ? ['grpc-status', '8'] : undefined,
      'request_rate_limited',
    );
  }

  function unanswered(stream: HttpStream, inForce: InForce, count: number, fault: string): Verdict {
    errors.add();
    stream.note(NOTE_NO_ANSWER, count);
    // One line when it begins to fail: the rest are counters.
    if (working) {
      working = false;
      host.log.warn(`the rate limit service gives no answer: ${fault}`, { cluster: inForce.cluster });
    }
    const { failureMode, denyPercent = failureMode === 'deny' ? 100 : 0 } = inForce;
    if (!draw(denyPercent)) {
      passed.add();
      return CONTINUE;
    }
    return stream.reply(
      inForce.statusOnError ?? 500,
      'TULLE_RATE_LIMITED',
      undefined,
      undefined,
      'rate_limiter_error',
    );
  }

  /** What the service and the operator say of responses. */
  function mark(
    stream: HttpStream,
    { mark: marks, responseHeaders, retryAfter }: InForce,
    { rate, refused }: CallState,
    answer: Answer,
  ): void {
    const { headers } = stream.response;
    each(answer.responseHeaders, (name, value) => headers.append(name, value));
    if (rate !== undefined) {
      const [limit, remaining, reset] = rate;
      headers.set('x-ratelimit-limit', limit);
      headers.set('x-ratelimit-remaining', remaining);
      headers.set('x-ratelimit-reset', reset);
    }
    if (!answer.limited) return;
    if (marks !== false) headers.set('x-envoy-ratelimited', 'true');
    if (!refused) return;
    if (retryAfter === true && stream.response.status === 429 && !headers.has('retry-after')) {
      const seconds = secondsUntilReset(answer.statuses);
      if (seconds !== undefined) headers.set('retry-after', String(seconds));
    }
    applyEdits(headers, responseHeaders);
  }
}

function each(flat: readonly string[], run: (name: string, value: string) => void): void {
  for (let index = 0; index < flat.length; index += 2) run(flat[index] as string, flat[index + 1] as string);
}

function isGrpcCall({ request }: HttpStream): boolean {
  return request.method === 'POST' && isGrpcContentType(request.headers.get('content-type'));
}
