import {
  DELIVER,
  defineHttpFilter,
  errorRow,
  RETRY,
  type AttemptInfo,
  type Headers,
  type HttpFilter,
  type HttpStream,
} from '@tulle/filter';
import {
  CompileContext,
  compileHeaderMatch,
  compileRequestMatch,
  loadedRegexEngine,
  type HeadersTest,
  type MatchView,
} from '@tulle/match';
import {
  GRPC_RETRY_STATUSES,
  RETRY_FILTER,
  retryFilterSchema,
  type RetryFilterConfig,
  type RetryOn,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { backoffDelayMs } from '@tulle/time';

/** Failures before the request went out. */
const CONNECT_FAILURES: ReadonlySet<string> = new Set([
  'TULLE_UPSTREAM_CONNECT',
  'TULLE_UPSTREAM_CONNECT_TIMEOUT',
  'TULLE_UPSTREAM_TLS',
  'TULLE_UPSTREAM_IDENTITY',
  'TULLE_UPSTREAM_NO_ENDPOINT',
]);

/** What conditions ask besides the attempt. */
interface Asked {
  readonly statusCodes: ReadonlySet<number>;
  readonly responseHeaders: readonly HeadersTest[];
  /** Of the answer; `undefined`: there is none. */
  readonly answer: Headers | undefined;
}

/** Whether a condition holds for an attempt that ended. */
const CONDITIONS: Readonly<Record<RetryOn, (attempt: AttemptInfo, asked: Asked) => boolean>> = {
  'connect-failure': ({ failure, unsent }) =>
    unsent || (failure !== undefined && CONNECT_FAILURES.has(failure)),
  reset: ({ failure }) => failure === 'TULLE_UPSTREAM_RESET',
  'per-try-timeout': ({ failure }) => failure === 'TULLE_PER_TRY_TIMEOUT',
  'gateway-error': ({ status }) => status === 502 || status === 503 || status === 504,
  '5xx': ({ status }) => status >= 500,
  'status-codes': ({ status }, { statusCodes }) => statusCodes.has(status),
  'retriable-4xx': ({ status }) => status === 409,
  'rate-limited': (_attempt, { answer }) => answer?.has('x-envoy-ratelimited') ?? false,
  'response-headers': (_attempt, { answer, responseHeaders }) =>
    answer !== undefined && responseHeaders.some((test) => test(answer)),
  cancelled: ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES.cancelled,
  'deadline-exceeded': ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES['deadline-exceeded'],
  internal: ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES.internal,
  'resource-exhausted': ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES['resource-exhausted'],
  unavailable: ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES.unavailable,
};

interface CompiledPolicy {
  readonly retries: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  readonly minMs: number;
  /** Whether it asks for fields of answers, and of requests. */
  readonly readsAnswers: boolean;
  readonly choosesRequests: boolean;
  /** Whether such a request is sent again at all. */
  serves(request: MatchView): boolean;
  wants(attempt: AttemptInfo, answer: Headers | undefined): boolean;
  /** How long the answer says to wait, in milliseconds; -1: it does not say. */
  waitMs(answer: Headers, nowEpochMs: number): number;
}

/** @throws TulleError `TULLE_CONFIG_INVALID` naming what is no condition */
function compile(config: RetryFilterConfig): CompiledPolicy {
  const conditions = (config.on ?? ['connect-failure', 'reset']).map((name) => CONDITIONS[name]);
  const statusCodes = new Set(config.statusCodes);
  const context = new CompileContext(loadedRegexEngine());
  const responseHeaders = (config.responseHeaders ?? []).map((one, index) =>
    compileHeaderMatch(one, context, `/responseHeaders/${index}`),
  );
  const requestHeaders = (config.requestHeaders ?? []).map((one, index) =>
    compileRequestMatch(one, context, `/requestHeaders/${index}`),
  );
  context.finish('retry');
  const { headers: resets = [], maxMs = 300_000 } = config.resetBackoff ?? {};
  const baseMs = config.backoffBaseMs ?? 25;
  const resetFields = resets.map(({ name, format }) => ({ name: name.toLowerCase(), format }));
  return {
    retries: config.retries ?? 2,
    backoff: { baseMs, maxMs: config.backoffMaxMs ?? 10 * baseMs },
    minMs: config.backoffMinMs ?? 0,
    readsAnswers:
      resetFields.length > 0 ||
      (config.on ?? []).some((name) => name === 'rate-limited' || name === 'response-headers'),
    choosesRequests: requestHeaders.length > 0,
    serves: (request) => requestHeaders.some((test) => test(request)),
    wants(attempt, answer) {
      const asked = { statusCodes, responseHeaders, answer };
      for (const condition of conditions) if (condition(attempt, asked)) return true;
      return false;
    },
    waitMs(answer, nowEpochMs) {
      for (const { name, format } of resetFields) {
        const text = answer.get(name);
        if (text === undefined || !/^\d{1,15}$/.test(text)) continue;
        const ms = Number(text) * 1_000 - (format === 'seconds' ? 0 : nowEpochMs);
        if (ms >= 0 && ms <= maxMs) return ms;
      }
      return -1;
    },
  };
}

/** Fields of the endpoint's answer; of an attempt without one there is none that could be asked for. */
function answerOf(stream: HttpStream): Headers | undefined {
  return stream.attempt.status === 0 ? undefined : stream.response.headers;
}

/**
 * When an attempt is worth repeating, and how long to wait. The engine's loop decides whether it may be: it owns the
 * budget, the time left, and the rule that a request goes out twice only when it is provably unsent or idempotent and
 * its body is still at hand (decision D5); this filter does not even ask otherwise.
 */
export const retry: HttpFilter<RetryFilterConfig, RetryFilterConfig> = defineHttpFilter<
  RetryFilterConfig,
  RetryFilterConfig
>({
  apiVersion: 1,
  id: RETRY_FILTER,
  summary: 'When an attempt is worth repeating, and how long to wait before.',
  config: jsonSchema<RetryFilterConfig>(retryFilterSchema),
  routeConfig: jsonSchema<RetryFilterConfig>(retryFilterSchema, { defaults: false }),
  applies: (config) => (config.retries ?? 2) > 0,
  retriesGrpc: (config) => (config.on ?? []).some((reason) => Object.hasOwn(GRPC_RETRY_STATUSES, reason)),
  scope: 'attempt',
  effects: 'none',
  create(host, config) {
    const policyOf = perConfig(compile);
    policyOf(config); // what is no pattern is found when the chain is built
    const random = (): number => host.random();
    return {
      attemptEnd(stream, config) {
        const policy = policyOf(config);
        const { attempt } = stream;
        if (attempt.number > policy.retries || !attempt.repeatable) return DELIVER;
        const answer = policy.readsAnswers ? answerOf(stream) : undefined;
        if (!policy.wants(attempt, answer)) return DELIVER;
        if (policy.choosesRequests && !policy.serves(stream.request)) return DELIVER;
        if (attempt.failure !== undefined && errorRow(attempt.failure)?.retryable === false) return DELIVER;
        const waitMs = answer === undefined ? -1 : policy.waitMs(answer, host.epochMs());
        attempt.retryDelayMs =
          waitMs >= 0
            ? waitMs
            : Math.max(policy.minMs, backoffDelayMs(attempt.number, policy.backoff, random));
        return RETRY;
      },
    };
  },
});
