import {
  callGrpc,
  CONTINUE,
  defineHttpFilter,
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
import { descriptorsOf, describeBy, type Descriptor } from './descriptors.ts';
import { applyEdits } from './header-edits.ts';
import type { Answer } from './service-messages.ts';

/** Decision notes (decision D10): the service's answer, and the lack of one; the value is how many descriptors it was asked about. */
export const NOTE_WITHIN_LIMIT = 1;
export const NOTE_OVER_LIMIT = 2;
export const NOTE_NO_ANSWER = 3;

/** A larger answer is no answer. */
const MAX_ANSWER_BYTES = 262_144;

/** What is remembered of a stream until its response. */
interface CallState {
  over: boolean;
  answer: Answer | undefined;
}

/** The configuration in force, a route's own actions with it. */
type InForce = GlobalRateLimitFilterConfig & Pick<GlobalRateLimitRouteConfig, 'rateLimits'>;

/**
 * Rate limits that a service counts for all proxies: it is asked about every request that its route describes. Where it gives
 * no answer in time the request goes on, unless the operator said otherwise.
 */
export const globalRateLimit: HttpFilter<GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig, CallState> =
  defineHttpFilter<GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig, CallState>({
    apiVersion: 1,
    id: GLOBAL_RATE_LIMIT_FILTER,
    summary: 'Asks a service, over gRPC, whether a request is within the limits of all proxies together.',
    config: jsonSchema<GlobalRateLimitFilterConfig>(globalRateLimitFilterSchema),
    routeConfig: jsonSchema<GlobalRateLimitRouteConfig>(globalRateLimitRouteSchema, { defaults: false }),
    phase: 'limit',
    effects: 'external',
    notes: {
      [NOTE_WITHIN_LIMIT]: 'within limit, descriptors',
      [NOTE_OVER_LIMIT]: 'over limit, descriptors',
      [NOTE_NO_ANSWER]: 'no answer, descriptors',
    },
    state: {
      create: () => ({ over: false, answer: undefined }),
      reset(state) {
        state.over = false;
        state.answer = undefined;
      },
    },
    create: createGlobalRateLimit,
  });

async function createGlobalRateLimit(
  host: FilterHost,
): Promise<HttpHooks<GlobalRateLimitFilterConfig, CallState>> {
  // What routes say may have patterns.
  await loadRegexEngine();
  const { decodeResponse, encodeRequest, METHOD } = await import('./service-messages.ts');
  const counter = (result: string): ReturnType<FilterHost['counter']> =>
    host.counter('global_ratelimit_calls_total', 'Calls of the rate limit service by what came of them', {
      result,
    });
  const [within, overLimit, errors] = [counter('ok'), counter('over_limit'), counter('error')];
  const passed = host.counter(
    'global_ratelimit_failure_mode_allowed_total',
    'Requests that went on without an answer, since failureMode is allow',
  );
  const activeGauge = host.gauge(
    'global_ratelimit_calls_active',
    'Calls of the rate limit service under way',
  );
  let active = 0;
  let working = true;

  return {
    requestHeaders(stream, inForce: InForce, state): HookResult {
      const { stage = 0, rateLimits, maxActiveCalls = 1_024 } = inForce;
      // A route that answers itself costs nobody anything, as in Envoy.
      if (stream.route?.cluster === undefined) return CONTINUE;
      const descriptors =
        rateLimits === undefined
          ? descriptorsOf(stream, stage, inForce.host ?? 'override')
          : describeBy(stream, rateLimits, stage);
      if (descriptors.length === 0) return CONTINUE;
      if (active >= maxActiveCalls)
        return unanswered(stream, inForce, descriptors.length, 'maxActiveCalls are under way');
      return ask(stream, inForce, state, descriptors);
    },
    responseHeaders(stream, inForce, state) {
      if (state.answer !== undefined) mark(stream, inForce, state.answer);
      return CONTINUE;
    },
    complete(_stream, _inForce, state) {
      state.over = true;
      return undefined;
    },
  };

  async function ask(
    stream: HttpStream,
    inForce: InForce,
    state: CallState,
    descriptors: readonly Descriptor[],
  ): Promise<Verdict> {
    activeGauge.set((active += 1));
    const { cluster, authority, domain, timeoutMs = 20 } = inForce;
    let answer: Answer | undefined;
    let fault = '';
    try {
      const reply = await callGrpc(host, {
        cluster,
        ...(authority === undefined ? {} : { authority }),
        path: METHOD,
        message: encodeRequest(domain, descriptors),
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
      });
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
    if (answer === undefined) return unanswered(stream, inForce, descriptors.length, fault);
    return settle(stream, inForce, state, answer, descriptors.length);
  }

  function settle(
    stream: HttpStream,
    inForce: InForce,
    state: CallState,
    answer: Answer,
    count: number,
  ): Verdict {
    if (!working) {
      working = true;
      host.log.info('the rate limit service answers again');
    }
    state.answer = answer;
    if (!answer.limited) {
      within.add();
      stream.note(NOTE_WITHIN_LIMIT, count);
      each(answer.requestHeaders, (name, value) => stream.request.headers.append(name, value));
      return CONTINUE;
    }
    overLimit.add();
    stream.note(NOTE_OVER_LIMIT, count);
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
    if (inForce.failureMode !== 'deny') {
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
    { mark: marks, rateHeaders, responseHeaders }: InForce,
    answer: Answer,
  ): void {
    const { headers } = stream.response;
    each(answer.responseHeaders, (name, value) => headers.append(name, value));
    if (rateHeaders === true && answer.rate !== undefined) {
      const [limit, remaining, reset] = answer.rate;
      headers.set('x-ratelimit-limit', limit);
      headers.set('x-ratelimit-remaining', remaining);
      headers.set('x-ratelimit-reset', reset);
    }
    if (!answer.limited) return;
    if (marks !== false) headers.set('x-envoy-ratelimited', 'true');
    applyEdits(headers, responseHeaders);
  }
}

function each(flat: readonly string[], run: (name: string, value: string) => void): void {
  for (let index = 0; index < flat.length; index += 2) run(flat[index] as string, flat[index + 1] as string);
}

function isGrpcCall({ request }: HttpStream): boolean {
  return request.method === 'POST' && isGrpcContentType(request.headers.get('content-type'));
}
