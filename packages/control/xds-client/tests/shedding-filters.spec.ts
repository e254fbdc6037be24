import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { AdaptiveConcurrencySchema } from '@tulle/xds-proto/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency';
import { AdmissionControlSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/admission_control/v3/admission_control';
import { decodeAdaptiveConcurrency } from '../src/decode/adaptive-concurrency.ts';
import { decodeAdmissionControl } from '../src/decode/admission-control.ts';
import { createDecodeContext, type DecodeContext } from '../src/decode/context.ts';

/** What another control plane's message is read as, and where it is refused. */
function read<Desc extends DescMessage>(
  desc: Desc,
  init: MessageInitShape<Desc>,
  decode: (context: DecodeContext, message: never, path: string) => unknown,
): { config: unknown; refused: string[] } {
  const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
  const message = context.open(anyPack(desc, create(desc, init)), 'f');
  const config = decode(context, message as never, 'f');
  return { config, refused: context.issues.map(({ path }) => path) };
}

const seconds = (n: number) => ({ seconds: BigInt(n), nanos: 0 });

describe('adaptive concurrency of another control plane', () => {
  it('is read with the defaults left out; a status below 400 means 503', () => {
    expect(
      read(
        AdaptiveConcurrencySchema,
        {
          concurrencyControllerConfig: {
            case: 'gradientControllerConfig',
            value: {
              sampleAggregatePercentile: { value: 90 },
              concurrencyLimitParams: { concurrencyUpdateInterval: { seconds: 0n, nanos: 100_000_000 } },
              minRttCalcParams: { interval: seconds(30), requestCount: 20, jitter: { value: 10 } },
            },
          },
          enabled: { defaultValue: true, runtimeKey: 'k' },
          concurrencyLimitExceededStatus: { code: 200 },
        },
        decodeAdaptiveConcurrency,
      ),
    ).toEqual({
      config: { samplePercentile: 90, minRtt: { intervalMs: 30_000, jitterPercent: 10, requests: 20 } },
      refused: [],
    });
  });

  it('is refused where it lacks what it needs, or is off', () => {
    expect(
      read(
        AdaptiveConcurrencySchema,
        {
          concurrencyControllerConfig: {
            case: 'gradientControllerConfig',
            value: {
              sampleAggregatePercentile: { value: 101 },
              concurrencyLimitParams: { maxConcurrencyLimit: 0 },
            },
          },
          enabled: { defaultValue: false, runtimeKey: 'k' },
        },
        decodeAdaptiveConcurrency,
      ).refused,
    ).toEqual([
      'f.enabled',
      'f.gradient_controller_config.concurrency_limit_params.concurrency_update_interval',
      'f.gradient_controller_config.min_rtt_calc_params.interval',
      'f.gradient_controller_config.sample_aggregate_percentile',
      'f.gradient_controller_config.concurrency_limit_params.max_concurrency_limit',
    ]);
    expect(read(AdaptiveConcurrencySchema, {}, decodeAdaptiveConcurrency).refused).toEqual(['f']);
  });
});

describe('admission control of another control plane', () => {
  it('is read: ranges without their end, an aggression of 1 at least, whole seconds', () => {
    expect(
      read(
        AdmissionControlSchema,
        {
          evaluationCriteria: {
            case: 'successCriteria',
            value: {
              httpCriteria: { httpSuccessStatus: [{ start: 100, end: 400 }] },
              grpcCriteria: { grpcSuccessStatus: [0, 1] },
            },
          },
          samplingWindow: { seconds: 9n, nanos: 700_000_000 },
          aggression: { defaultValue: 0.5, runtimeKey: 'k' },
          srThreshold: { defaultValue: { value: 90 }, runtimeKey: 'k' },
          rpsThreshold: { defaultValue: 5, runtimeKey: 'k' },
          maxRejectionProbability: { defaultValue: { value: 70 }, runtimeKey: 'k' },
        },
        decodeAdmissionControl,
      ),
    ).toEqual({
      config: {
        windowMs: 10_000,
        successThresholdPercent: 90,
        aggression: 1,
        minRequestsPerSecond: 5,
        maxRejectionPercent: 70,
        success: { httpStatuses: [{ from: 100, to: 399 }], grpcStatuses: [0, 1] },
      },
      refused: [],
    });
  });

  it('is refused where it cannot be', () => {
    expect(
      read(
        AdmissionControlSchema,
        {
          enabled: { defaultValue: false, runtimeKey: 'k' },
          samplingWindow: seconds(0),
          srThreshold: { runtimeKey: 'k' },
          maxRejectionProbability: { defaultValue: { value: 120 }, runtimeKey: 'k' },
        },
        decodeAdmissionControl,
      ).refused,
    ).toEqual(['f.enabled', 'f', 'f.sampling_window', 'f.sr_threshold', 'f.max_rejection_probability']);
    expect(
      read(
        AdmissionControlSchema,
        {
          evaluationCriteria: {
            case: 'successCriteria',
            value: {
              httpCriteria: { httpSuccessStatus: [{ start: 0, end: 700 }] },
              grpcCriteria: { grpcSuccessStatus: [17] },
            },
          },
        },
        decodeAdmissionControl,
      ).refused,
    ).toEqual([
      'f.success_criteria.http_criteria.http_success_status[0]',
      'f.success_criteria.grpc_criteria',
    ]);
  });
});
