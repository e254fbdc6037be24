import {
  CONTINUE,
  defineHttpFilter,
  type FilterHost,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type RequestHead,
} from '@tulle/filter';
import { CompileContext, compileHeaderMatch, compileStringMatch, loadRegexEngine } from '@tulle/match';
import { HEALTH_CHECK_FILTER, healthCheckFilterSchema, type HealthCheckFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';

/** Decision note (decision D10): answered here; the value is the status. */
export const NOTE_ANSWERED = 1;

/** Says in any answer that its sender is to be taken for ill (Envoy). */
const IMMEDIATE_FAIL = 'x-envoy-immediate-health-check-fail';

interface CheckState {
  /** Whether the service's answer is to be remembered. */
  asked: boolean;
}

/**
 * Answers the requests by which a load balancer asks whether the proxy is well: 200 while it serves, 503 while it drains, an operator has it fail, or too few
 * endpoints are fit; or lets the service answer, and remembers what it said.
 */
export const healthCheck: HttpFilter<
  HealthCheckFilterConfig,
  Partial<HealthCheckFilterConfig>,
  CheckState
> = defineHttpFilter<HealthCheckFilterConfig, Partial<HealthCheckFilterConfig>, CheckState>({
  apiVersion: 1,
  id: HEALTH_CHECK_FILTER,
  summary: 'Answers the health checks of load balancers, by itself or by what the service said last.',
  config: jsonSchema<HealthCheckFilterConfig>(healthCheckFilterSchema),
  // Whoever asks needs no route.
  unrouted: true,
  effects: 'local',
  notes: { [NOTE_ANSWERED]: 'health check answered with status' },
  state: {
    create: () => ({ asked: false }),
    reset(state) {
      state.asked = false;
    },
  },
  create: createHealthCheck,
});

async function createHealthCheck(
  host: FilterHost,
  { match, answerBy = 'proxy', cacheMs = 0, minHealthyPercent = {} }: HealthCheckFilterConfig,
): Promise<HttpHooks<HealthCheckFilterConfig, CheckState>> {
  const isCheck = await compileChecks(match);
  const least = Object.entries(minHealthyPercent);
  const counter = (by: string): ReturnType<FilterHost['counter']> =>
    host.counter('health_check_requests_total', 'Health checks of load balancers, by who answered', { by });
  const [byProxy, byService] = [counter('proxy'), counter('service')];
  let status = 0;
  let untilMs = -Infinity;

  return {
    requestHeaders(stream, _config, state) {
      if (!isCheck(stream.request)) return CONTINUE;
      if (host.draining || host.failsHealthChecks) return answer(stream, 503);
      if (answerBy === 'proxy') return answer(stream, isFit() ? 200 : 503);
      if (host.nowMs() < untilMs) return answer(stream, status);
      byService.add();
      state.asked = cacheMs > 0;
      return CONTINUE;
    },
    responseHeaders(stream, _config, state) {
      // Load balancers that ask in vain, and those that only look at answers, go elsewhere at once.
      if (host.failsHealthChecks) stream.response.headers.set(IMMEDIATE_FAIL, 'true');
      if (!state.asked) return CONTINUE;
      status = stream.response.status;
      untilMs = host.nowMs() + cacheMs;
      return CONTINUE;
    },
  };

  function answer(stream: HttpStream, code: number): ReturnType<HttpStream['reply']> {
    byProxy.add();
    stream.note(NOTE_ANSWERED, code);
    return stream.reply(code, 'TULLE_LOCAL_REPLY', code === 200 ? '' : undefined, undefined, 'health_check');
  }

  function isFit(): boolean {
    for (const [name, percent] of least) {
      const health = host.clusterHealth(name);
      // A cluster without endpoints is fit for those who ask nothing of it.
      if (health === undefined || health.healthy * 100 < health.total * percent) return false;
      if (health.total === 0 && percent > 0) return false;
    }
    return true;
  }
}

async function compileChecks(
  match: HealthCheckFilterConfig['match'],
): Promise<(request: RequestHead) => boolean> {
  const usesRegex = match.some((one) => one.match.kind === 'regex');
  const context = new CompileContext(usesRegex ? await loadRegexEngine() : undefined);
  const tests = match.map((one, index) => {
    const path = `/match/${index}`;
    if (!one.name.startsWith(':')) {
      const test = compileHeaderMatch(one, context, path);
      return ({ headers }: RequestHead): boolean => test(headers);
    }
    const test = compileStringMatch(one.match, context, `${path}/match`);
    const read = PSEUDO[one.name];
    if (read === undefined)
      context.issue(`${path}/name`, `${one.name} is none of :path, :method and :authority`);
    return (request: RequestHead): boolean => test(read?.(request) ?? '') !== (one.invert === true);
  });
  context.finish('health checks');
  return (request) => tests.every((test) => test(request));
}

const PSEUDO: Readonly<Record<string, (request: RequestHead) => string>> = {
  ':path': ({ path, query }) => (query === undefined ? path : `${path}?${query}`),
  ':method': ({ method }) => method,
  ':authority': ({ authority }) => authority,
};
