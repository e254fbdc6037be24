import {
  addMetadata,
  CONTINUE,
  defineHttpFilter,
  DYNAMIC_METADATA,
  type FilterHost,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type MetadataValues,
  type Verdict,
} from '@tulle/filter';
import {
  compileHeaderMatch,
  CompileContext,
  isGrpcContentType,
  loadedRegexEngine,
  loadRegexEngine,
} from '@tulle/match';
import {
  FAULT_FILTER,
  faultFilterSchema,
  type FaultFilterConfig,
  type FaultOverride,
  faultOverrideSchema,
  GRPC_HTTP_STATUSES,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { faultsOf, type Faults } from './asked-faults.ts';

/** Decision notes (decision D10): delayed (value: milliseconds), answered with an abort (value: status). */
export const NOTE_DELAYED = 1;
export const NOTE_ABORTED = 2;
/** A delay was due and `maxActiveDelays` are held already. */
export const NOTE_DELAY_SKIPPED = 3;

/** The response's body is slowed down to (value: KiB a second). */
export const NOTE_SLOWED = 4;
/** A fault was due and `maxActiveFaults` are under way already. */
export const NOTE_FAULT_SKIPPED = 5;

/** The faults of one stream, while they last. */
interface FaultState {
  /** Ends the delay without touching the stream. */
  abandon: (() => void) | undefined;
  /** What is to be known of it; `undefined` once it is. */
  metadata: MetadataValues | undefined;
  /** Whether it counts among the faults under way. */
  faulty: boolean;
  /** Of the response's body; 0 for as fast as it comes. */
  bytesPerMs: number;
}

/**
 * Faults on purpose: a delay before the request goes on, then perhaps an answer instead of it. Shares are drawn from the
 * host's randomness. Requests without a delay are judged synchronously.
 */
export const fault: HttpFilter<FaultFilterConfig, FaultOverride, FaultState> = defineHttpFilter<
  FaultFilterConfig,
  FaultOverride,
  FaultState
>({
  apiVersion: 1,
  id: FAULT_FILTER,
  summary: 'Injects delays and aborts into a share of the requests.',
  config: jsonSchema<FaultFilterConfig>(faultFilterSchema),
  routeConfig: jsonSchema<FaultOverride>(faultOverrideSchema, { defaults: false }),
  mergeRoute(base, { replaces = false, ...override }) {
    const merged = replaces ? override : { ...base, ...override };
    // What cannot be compiled is refused when the configuration is.
    conditionOf(merged);
    return merged;
  },
  applies: ({ delay, abort, responseRate, byHeader }) =>
    delay !== undefined || abort !== undefined || responseRate !== undefined || byHeader !== undefined,
  bodyFor: ({ responseRate, byHeader }) =>
    responseRate === undefined && byHeader?.responseRate === undefined ? {} : { response: 'observe' },
  phase: 'fault',
  unrouted: true,
  effects: 'local',
  provides: [DYNAMIC_METADATA],
  notes: {
    [NOTE_DELAYED]: 'delayed for ms',
    [NOTE_ABORTED]: 'aborted with status',
    [NOTE_DELAY_SKIPPED]: 'delay skipped, delays active',
    [NOTE_SLOWED]: 'response slowed to KiB a second',
    [NOTE_FAULT_SKIPPED]: 'fault skipped, faults active',
  },
  state: {
    create: () => ({ abandon: undefined, metadata: undefined, faulty: false, bytesPerMs: 0 }),
    reset(state) {
      state.abandon = undefined;
      state.metadata = undefined;
      state.faulty = false;
      state.bytesPerMs = 0;
    },
  },
  create: createFault,
});

/** What a request has to be for a fault. */
type Condition = (stream: HttpStream) => boolean;

function conditionOf({ headers = {}, match = [], cluster, nodes }: FaultFilterConfig): Condition {
  const context = new CompileContext(loadedRegexEngine());
  const tests: Condition[] = Object.entries(headers).map(([name, value]) => {
    const lower = name.toLowerCase();
    return (stream) => hasLine(stream, lower, value);
  });
  for (const [index, one] of match.entries()) {
    const test = compileHeaderMatch(one, context, `/match/${index}`);
    tests.push((stream) => test(stream.request.headers));
  }
  context.finish('conditions of faults');
  if (cluster !== undefined) tests.push((stream) => stream.route?.cluster === cluster);
  if (nodes !== undefined)
    tests.push((stream) =>
      nodes.includes(stream.request.headers.get('x-envoy-downstream-service-node') ?? ''),
    );
  return (stream) => tests.every((test) => test(stream));
}

async function createFault(
  host: FilterHost,
  config: FaultFilterConfig,
): Promise<HttpHooks<FaultFilterConfig, FaultState>> {
  if (config.match?.some(({ match }) => match.kind === 'regex') === true) await loadRegexEngine();
  const compiledOf = perConfig(conditionOf);
  compiledOf(config);
  const delays = host.counter('fault_delays_total', 'Requests delayed on purpose');
  const skipped = host.counter(
    'fault_delays_skipped_total',
    'Delays left out since maxActiveDelays were held',
  );
  const overflows = host.counter(
    'fault_overflows_total',
    'Faults left out since maxActiveFaults were under way',
  );
  const aborts = host.counter('fault_aborts_total', 'Requests answered with an abort on purpose');
  const slowed = host.counter('fault_responses_slowed_total', 'Responses slowed down on purpose');
  const held = host.gauge('fault_delays_active', 'Delays held now');
  let active = 0;
  let faulty = 0;
  const changeActive = (by: number): void => {
    active += by;
    held.set(active);
  };

  return {
    requestHeaders(stream, inForce, state) {
      if (!compiledOf(inForce)(stream)) return CONTINUE;
      if (inForce.maxActiveFaults !== undefined && faulty >= inForce.maxActiveFaults) {
        overflows.add();
        stream.note(NOTE_FAULT_SKIPPED, faulty);
        return CONTINUE;
      }
      state.metadata = inForce.metadata;
      const faults = faultsOf(inForce, stream.request.headers);
      const { delay, responseRate } = faults;
      if (responseRate !== undefined && draw(responseRate.percent)) {
        begin(state);
        slowed.add();
        stream.note(NOTE_SLOWED, Math.round(responseRate.kibPerSecond));
        state.bytesPerMs = (responseRate.kibPerSecond * 1_024) / 1_000;
      }
      if (delay === undefined || !draw(delay.percent)) return abortOrContinue(stream, faults, state);
      if (active >= (inForce.maxActiveDelays ?? 1_000)) {
        skipped.add();
        stream.note(NOTE_DELAY_SKIPPED, active);
        return abortOrContinue(stream, faults, state);
      }
      begin(state);
      tell(stream, state);
      delays.add();
      stream.note(NOTE_DELAYED, Math.round(delay.durationMs));
      return delayed(stream, faults, state, delay.durationMs);
    },
    responseHeaders(stream, _inForce, state) {
      if (state.bytesPerMs === 0) stream.passResponseBody();
      return CONTINUE;
    },
    responseData(_stream, _inForce, state, bytes) {
      if (state.bytesPerMs === 0 || bytes.length === 0) return CONTINUE;
      // While this is waited for, no more is read of the endpoint.
      return paused(state, bytes.length / state.bytesPerMs);
    },
    complete(_stream, _inForce, state) {
      state.abandon?.();
      if (state.faulty) faulty -= 1;
      return undefined;
    },
  };

  function begin(state: FaultState): void {
    if (state.faulty) return;
    state.faulty = true;
    faulty += 1;
  }

  function tell(stream: HttpStream, state: FaultState): void {
    const { metadata } = state;
    if (metadata === undefined) return;
    state.metadata = undefined;
    addMetadata(stream, host.name, metadata);
  }

  function draw(percent: number | undefined): boolean {
    return percent === undefined || percent >= 100 || host.random() * 100 < percent;
  }

  function abortOrContinue(stream: HttpStream, { abort }: Faults, state: FaultState): Verdict {
    if (abort === undefined || !draw(abort.percent)) return CONTINUE;
    begin(state);
    tell(stream, state);
    aborts.add();
    const { grpcStatus, body } = abort;
    const grpc = grpcStatus !== undefined && isGrpcCall(stream);
    const status =
      grpcStatus !== undefined && abort.status === 200 && !grpc
        ? (GRPC_HTTP_STATUSES[grpcStatus] ?? 500)
        : abort.status;
    stream.note(NOTE_ABORTED, status);
    const headers = grpc ? ['grpc-status', String(grpcStatus)] : undefined;
    return stream.reply(status, 'TULLE_FAULT_ABORT', body, headers);
  }

  function paused(state: FaultState, delayMs: number): Promise<Verdict> {
    return new Promise<Verdict>((resolve) => {
      const end = (): void => {
        state.abandon = undefined;
        resolve(CONTINUE);
      };
      const cancel = host.after(delayMs, end);
      state.abandon = () => {
        cancel();
        end();
      };
    });
  }

  function delayed(
    stream: HttpStream,
    faults: Faults,
    state: FaultState,
    durationMs: number,
  ): Promise<Verdict> {
    changeActive(1);
    return new Promise<Verdict>((resolve, reject) => {
      const end = (): void => {
        state.abandon = undefined;
        changeActive(-1);
      };
      const cancel = host.after(durationMs, () => {
        end();
        try {
          resolve(abortOrContinue(stream, faults, state));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
      state.abandon = () => {
        cancel();
        end();
        // The stream is over; nobody acts on this verdict.
        resolve(CONTINUE);
      };
    });
  }
}

function isGrpcCall({ request }: HttpStream): boolean {
  return request.method === 'POST' && isGrpcContentType(request.headers.get('content-type'));
}

/** Whether one line of a field has this value. */
function hasLine(stream: HttpStream, name: string, value: string): boolean {
  const { headers } = stream.request;
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) === name && headers.value(index) === value) return true;
  }
  return false;
}
