import {
  CONTINUE,
  defineHttpFilter,
  type FilterHost,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
} from '@tulle/filter';
import {
  ADMISSION_CONTROL_FILTER,
  ADMISSION_GRPC_SUCCESSES,
  admissionControlFilterSchema,
  type AdmissionControlFilterConfig,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { SuccessWindow } from './success-window.ts';

/** Decision note (decision D10): refused; the value is the share that is refused now, in percent. */
export const NOTE_DENIED = 1;

const UNDECIDED = 0;
/** A gRPC response whose status comes in its trailers. */
const AWAITS_TRAILERS = 1;
const DECIDED = 2;

/** Where a request is that went on. */
interface Admitted {
  /** `undefined`: it was refused, or never asked. */
  policy: Policy | undefined;
  result: typeof UNDECIDED | typeof AWAITS_TRAILERS | typeof DECIDED;
}

/** What a configuration makes. */
interface Policy {
  readonly window: SuccessWindow;
  readonly threshold: number;
  /** 1 / aggression. */
  readonly exponent: number;
  readonly minRequests: number;
  readonly maxRejection: number;
  readonly httpSuccess: Uint8Array;
  readonly grpcSuccess: Uint8Array;
}

/**
 * Refuses a share of requests with 503 `TULLE_ADMISSION_DENIED` where too many of the last ones failed, the more the more
 * failed: `max(0, (requests - successes / threshold) / (requests + 1)) ^ (1 / aggression)`. What is refused counts neither as
 * a success nor as a failure, and what Tulle answers itself counts as what it is.
 */
export const admissionControl: HttpFilter<
  AdmissionControlFilterConfig,
  AdmissionControlFilterConfig,
  Admitted
> = defineHttpFilter<AdmissionControlFilterConfig, AdmissionControlFilterConfig, Admitted>({
  apiVersion: 1,
  id: ADMISSION_CONTROL_FILTER,
  summary: 'Refuses a share of requests while too many of the last ones failed.',
  config: jsonSchema<AdmissionControlFilterConfig>(admissionControlFilterSchema),
  routeConfig: jsonSchema<AdmissionControlFilterConfig>(admissionControlFilterSchema),
  /** A route's replaces the chain's, and counts for itself. */
  mergeRoute: (_base, override) => override,
  applies: (config) => config.maxRejectionPercent !== 0,
  phase: 'limit',
  unrouted: true,
  effects: 'local',
  notes: { [NOTE_DENIED]: 'refused with a probability in percent of' },
  state: {
    create: () => ({ policy: undefined, result: UNDECIDED }),
    reset(state) {
      state.policy = undefined;
      state.result = UNDECIDED;
    },
  },
  create: createAdmissionControl,
});

function createAdmissionControl(
  host: FilterHost,
  config: AdmissionControlFilterConfig,
): HttpHooks<AdmissionControlFilterConfig, Admitted> {
  const policyOf = perConfig((inForce: AdmissionControlFilterConfig) => compile(inForce, host.nowMs()));
  policyOf(config);
  const rejected = host.counter(
    'admission_control_rq_rejected_total',
    'Requests refused since too many of the last ones failed',
  );
  const succeeded = host.counter('admission_control_rq_success_total', 'Requests that counted as a success');
  const failed = host.counter('admission_control_rq_failure_total', 'Requests that counted as a failure');

  const decide = (state: Admitted, success: boolean): void => {
    state.result = DECIDED;
    (success ? succeeded : failed).add();
    state.policy?.window.record(success, host.nowMs());
  };
  const decideByGrpc = (state: Admitted, { grpcSuccess }: Policy, status: string): void =>
    decide(state, status !== '' && grpcSuccess[Number(status)] === 1);

  return {
    requestHeaders(stream, inForce, state) {
      const policy = policyOf(inForce);
      policy.window.advance(host.nowMs());
      const rejection = rejectionOf(policy);
      if (rejection > 0 && host.random() < rejection) {
        rejected.add();
        stream.note(NOTE_DENIED, Math.round(rejection * 100));
        return stream.reply(503, 'TULLE_ADMISSION_DENIED');
      }
      state.policy = policy;
      return CONTINUE;
    },
    responseHeaders(stream, _inForce, state) {
      const { policy } = state;
      if (policy === undefined || state.result !== UNDECIDED) return CONTINUE;
      const { headers } = stream.response;
      const grpcStatus = headers.get('grpc-status');
      if (grpcStatus !== undefined) decideByGrpc(state, policy, grpcStatus);
      else if (isGrpc(stream)) state.result = AWAITS_TRAILERS;
      else decide(state, policy.httpSuccess[stream.response.status] === 1);
      return CONTINUE;
    },
    responseTrailers(stream, _inForce, state) {
      const { policy } = state;
      if (policy !== undefined && state.result === AWAITS_TRAILERS)
        decideByGrpc(state, policy, stream.response.trailers.get('grpc-status') ?? '');
      return CONTINUE;
    },
    complete(_stream, _inForce, state) {
      // It began to answer and never said how it went; one that the caller gave up on before tells nothing.
      if (state.policy !== undefined && state.result === AWAITS_TRAILERS) decide(state, false);
      return undefined;
    },
  };
}

function isGrpc({ response }: HttpStream): boolean {
  return response.headers.get('content-type')?.startsWith('application/grpc') === true;
}

/** The share of requests to refuse, 0 to 1. */
function rejectionOf({ window, threshold, exponent, minRequests, maxRejection }: Policy): number {
  const { requests, successes } = window;
  const excess = requests - successes / threshold;
  if (excess <= 0 || requests < minRequests) return 0;
  return Math.min((excess / (requests + 1)) ** exponent, maxRejection);
}

function compile(config: AdmissionControlFilterConfig, nowMs: number): Policy {
  const window = new SuccessWindow((config.windowMs ?? 30_000) / 1000, nowMs);
  const httpSuccess = new Uint8Array(600);
  for (const { from, to } of config.success?.httpStatuses ?? [{ from: 100, to: 499 }])
    httpSuccess.fill(1, from, to + 1);
  const grpcSuccess = new Uint8Array(17);
  for (const status of config.success?.grpcStatuses ?? ADMISSION_GRPC_SUCCESSES) grpcSuccess[status] = 1;
  return {
    window,
    threshold: (config.successThresholdPercent ?? 95) / 100,
    exponent: 1 / (config.aggression ?? 1),
    minRequests: (config.minRequestsPerSecond ?? 0) * window.seconds,
    maxRejection: (config.maxRejectionPercent ?? 80) / 100,
    httpSuccess,
    grpcSuccess,
  };
}
