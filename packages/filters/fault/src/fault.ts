import {
  CONTINUE,
  defineHttpFilter,
  type FilterHost,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import { isGrpcContentType } from '@tulle/match';
import { FAULT_FILTER, faultFilterSchema, type FaultFilterConfig } from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';

/** Decision notes (decision D10): delayed (value: milliseconds), answered with an abort (value: status). */
export const NOTE_DELAYED = 1;
export const NOTE_ABORTED = 2;
/** A delay was due and `maxActiveDelays` are held already. */
export const NOTE_DELAY_SKIPPED = 3;

/** The delay of one stream, while it lasts. */
interface DelayState {
  /** Ends the delay without touching the stream. */
  abandon: (() => void) | undefined;
}

/**
 * Faults on purpose: a delay before the request goes on, then perhaps an answer instead of it. Shares are drawn from the
 * host's randomness. Requests without a delay are judged synchronously.
 */
export const fault: HttpFilter<FaultFilterConfig, FaultFilterConfig, DelayState> = defineHttpFilter<
  FaultFilterConfig,
  FaultFilterConfig,
  DelayState
>({
  apiVersion: 1,
  id: FAULT_FILTER,
  summary: 'Injects delays and aborts into a share of the requests.',
  config: jsonSchema<FaultFilterConfig>(faultFilterSchema),
  routeConfig: jsonSchema<FaultFilterConfig>(faultFilterSchema, { defaults: false }),
  applies: (config) => config.delay !== undefined || config.abort !== undefined,
  phase: 'fault',
  effects: 'local',
  notes: {
    [NOTE_DELAYED]: 'delayed for ms',
    [NOTE_ABORTED]: 'aborted with status',
    [NOTE_DELAY_SKIPPED]: 'delay skipped, delays active',
  },
  state: {
    create: () => ({ abandon: undefined }),
    reset(state) {
      state.abandon = undefined;
    },
  },
  create: createFault,
});

function createFault(host: FilterHost): HttpHooks<FaultFilterConfig, DelayState> {
  const conditionsOf = perConfig((config: FaultFilterConfig) =>
    Object.entries(config.headers ?? {}).map(([name, value]) => ({ name: name.toLowerCase(), value })),
  );
  const delays = host.counter('fault_delays_total', 'Requests delayed on purpose');
  const skipped = host.counter(
    'fault_delays_skipped_total',
    'Delays left out since maxActiveDelays were held',
  );
  const aborts = host.counter('fault_aborts_total', 'Requests answered with an abort on purpose');
  const held = host.gauge('fault_delays_active', 'Delays held now');
  let active = 0;
  const changeActive = (by: number): void => {
    active += by;
    held.set(active);
  };

  return {
    requestHeaders(stream, config, state) {
      for (const { name, value } of conditionsOf(config)) if (!hasLine(stream, name, value)) return CONTINUE;
      const { delay } = config;
      if (delay === undefined || !draw(delay.percent)) return abortOrContinue(stream, config);
      if (active >= (config.maxActiveDelays ?? 1_000)) {
        skipped.add();
        stream.note(NOTE_DELAY_SKIPPED, active);
        return abortOrContinue(stream, config);
      }
      delays.add();
      stream.note(NOTE_DELAYED, Math.round(delay.durationMs));
      return delayed(stream, config, state, delay.durationMs);
    },
    complete(_stream, _config, state) {
      state.abandon?.();
    },
  };

  function draw(percent: number | undefined): boolean {
    return percent === undefined || percent >= 100 || host.random() * 100 < percent;
  }

  function abortOrContinue(stream: HttpStream, { abort }: FaultFilterConfig): Verdict {
    if (abort === undefined || !draw(abort.percent)) return CONTINUE;
    aborts.add();
    stream.note(NOTE_ABORTED, abort.status);
    const headers =
      abort.grpcStatus !== undefined && isGrpcCall(stream)
        ? ['grpc-status', String(abort.grpcStatus)]
        : undefined;
    return stream.reply(abort.status, 'TULLE_FAULT_ABORT', undefined, headers);
  }

  function delayed(
    stream: HttpStream,
    config: FaultFilterConfig,
    state: DelayState,
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
          resolve(abortOrContinue(stream, config));
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
