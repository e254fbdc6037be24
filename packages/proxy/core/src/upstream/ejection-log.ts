import type { ComparedRates, DetectionEvent, EjectionReason, EndpointState } from '@tulle/balance';
import type { LineFile } from '@tulle/telemetry';
import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';

/** Whose ejections are told. */
export interface EjectingCluster {
  readonly engine: Engine;
  readonly name: string;
  readonly own: { refresh(nowMs: number): void };
}

/** Envoy's names of the rules, by whether local failures are counted apart. */
const TYPES: Readonly<Record<EjectionReason, readonly [all: string, local: string]>> = {
  'consecutive-failures': ['CONSECUTIVE_5XX', 'CONSECUTIVE_5XX'],
  'gateway-failures': ['CONSECUTIVE_GATEWAY_FAILURE', 'CONSECUTIVE_GATEWAY_FAILURE'],
  'local-failures': ['CONSECUTIVE_LOCAL_ORIGIN_FAILURE', 'CONSECUTIVE_LOCAL_ORIGIN_FAILURE'],
  deviation: ['SUCCESS_RATE', 'SUCCESS_RATE_LOCAL_ORIGIN'],
  'failure-percentage': ['FAILURE_PERCENTAGE', 'FAILURE_PERCENTAGE_LOCAL_ORIGIN'],
  // Tulle's own, which goes by the share of failures as well.
  'success-rate': ['FAILURE_PERCENTAGE', 'FAILURE_PERCENTAGE'],
};

/**
 * Writes a line for each ejection, each that chance spared, and each return, in the form of Envoy's
 * `envoy.data.cluster.v3.OutlierDetectionEvent`. Looks every `intervalMs`, as Envoy does, so that what is over is told
 * without a request.
 */
export class EjectionLog {
  readonly #cluster: EjectingCluster;
  readonly #file: LineFile;
  readonly #intervalMs: number;
  readonly #timer: WheelTimer;

  constructor(cluster: EjectingCluster, file: LineFile, intervalMs: number = 10_000) {
    this.#cluster = cluster;
    this.#file = file;
    this.#intervalMs = intervalMs;
    this.#timer = cluster.engine.wheel.timer(look, this);
    this.#timer.arm(intervalMs);
  }

  detected({ state, reason, rates }: DetectionEvent<unknown>): void {
    this.#write(TYPES[reason][rates?.local === true ? 1 : 0], state, state.returnedAtMs, 'EJECT', {
      enforced: state.ejected,
      ...detailsOf(reason, rates, state),
    });
  }

  /** Envoy says no rule of it, which its form shows as the first. */
  returned(state: EndpointState<unknown>): void {
    this.#write(TYPES['consecutive-failures'][0], state, state.ejectedAtMs, 'UNEJECT', { enforced: false });
  }

  look(): void {
    this.#cluster.own.refresh(this.#cluster.engine.clock.nowMs());
    this.#timer.arm(this.#intervalMs);
  }

  close(): void {
    this.#timer.cancel();
    const { engine, name } = this.#cluster;
    engine.closing.closeFiles(engine, `ejection log of cluster ${name}`, [this.#file]);
  }

  #write(
    type: string,
    state: EndpointState<unknown>,
    lastMs: number | undefined,
    action: 'EJECT' | 'UNEJECT',
    rest: object,
  ): void {
    const { engine, name } = this.#cluster;
    const since = lastMs === undefined ? undefined : Math.floor((engine.clock.nowMs() - lastMs) / 1_000);
    this.#file.write(
      JSON.stringify({
        type,
        timestamp: new Date(engine.clock.epochMs()).toISOString(),
        // 64 bits are text in the JSON of protobuf.
        ...(since !== undefined && { secs_since_last_action: String(since) }),
        cluster_name: name,
        upstream_url: state.address,
        action,
        num_ejections: state.ejections,
        ...rest,
      }),
    );
  }
}

function look(log: EjectionLog): void {
  log.look();
}

function detailsOf(
  reason: EjectionReason,
  rates: ComparedRates | undefined,
  { succeeded, started }: EndpointState<unknown>,
): object {
  if (reason === 'deviation')
    return {
      eject_success_rate_event: {
        host_success_rate: whole(rates?.rate),
        cluster_average_success_rate: whole(rates?.mean),
        cluster_success_rate_ejection_threshold: whole(rates?.threshold),
      },
    };
  if (reason === 'failure-percentage' || reason === 'success-rate')
    return {
      eject_failure_percentage_event: {
        host_success_rate: whole(rates?.rate ?? (100 * succeeded) / Math.max(started, 1)),
      },
    };
  return { eject_consecutive_event: {} };
}

/** What a field without sign and without fraction can hold. */
function whole(percent: number = 0): number {
  return Math.max(0, Math.trunc(percent));
}
