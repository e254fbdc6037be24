import type { StatusRange } from '../health-check.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.admission-control`: where too many of the last requests failed, a share of new ones is not
 * sent on (Envoy `AdmissionControl`, whose values the defaults are).
 */
export interface AdmissionControlFilterConfig {
  /** The last requests are those of this time, in milliseconds, whole seconds. Default 30,000. */
  readonly windowMs?: number;
  /** Share of successes in percent from which on nothing is refused. Default 95. */
  readonly successThresholdPercent?: number;
  /** 1: the share that is refused grows evenly with the failures; more: sooner. Default 1. */
  readonly aggression?: number;
  /** Below so many requests a second nothing is refused. Default 0. */
  readonly minRequestsPerSecond?: number;
  /** So much is refused at most, in percent: the rest finds out when the service is well again. Default 80. */
  readonly maxRejectionPercent?: number;
  /** What counts as a success. */
  readonly success?: {
    /** Statuses. Default 100–499: sending less changes nothing about what a caller does wrong. */
    readonly httpStatuses?: readonly StatusRange[];
    /** gRPC statuses by number. Default: those that do not mean that the service has too much to do. */
    readonly grpcStatuses?: readonly number[];
  };
}

/** Id of the admission-control filter. */
export const ADMISSION_CONTROL_FILTER = 'tulle.http.admission-control';

/** OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED: as Envoy's. */
export const ADMISSION_GRPC_SUCCESSES: readonly number[] = Object.freeze([
  0, 1, 2, 3, 5, 6, 7, 9, 11, 12, 16,
]);

const status: JsonSchema = { type: 'integer', minimum: 100, maximum: 599 };

/** JSON Schema of {@link AdmissionControlFilterConfig}. */
export const admissionControlFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    windowMs: {
      type: 'integer',
      minimum: 1000,
      maximum: 600_000,
      multipleOf: 1000,
      default: 30_000,
      description: 'The last requests are those of this time, in milliseconds, whole seconds.',
    },
    successThresholdPercent: {
      type: 'number',
      minimum: 1,
      maximum: 100,
      default: 95,
      description: 'Share of successes in percent from which on nothing is refused.',
    },
    aggression: {
      type: 'number',
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: '1: the refused share grows evenly with the failures; more: sooner.',
    },
    minRequestsPerSecond: {
      type: 'integer',
      minimum: 0,
      maximum: 4_294_967_295,
      default: 0,
      description: 'Below so many requests a second nothing is refused.',
    },
    maxRejectionPercent: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 80,
      description: 'So much is refused at most, in percent.',
    },
    success: {
      type: 'object',
      additionalProperties: false,
      description: 'What counts as a success.',
      properties: {
        httpStatuses: {
          type: 'array',
          minItems: 1,
          description: 'Statuses; default: 100 to 499.',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['from', 'to'],
            properties: { from: status, to: status },
          },
        },
        grpcStatuses: {
          type: 'array',
          minItems: 1,
          description: 'gRPC statuses by number; default: all that do not mean that there is too much to do.',
          items: { type: 'integer', minimum: 0, maximum: 16 },
        },
      },
    },
  },
};
