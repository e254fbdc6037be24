import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.adaptive-concurrency`: how many requests may be under way at a time, found out by how long
 * they take (Envoy `AdaptiveConcurrency` with its gradient controller, whose values the defaults are).
 */
export interface AdaptiveConcurrencyFilterConfig {
  /** Which percentile of the times stands for all of them. Default 50. */
  readonly samplePercentile?: number;
  /** The limit never grows past it. Default 1,000. */
  readonly maxConcurrency?: number;
  /** How often the limit is calculated, in milliseconds. Default 100. */
  readonly updateIntervalMs?: number;
  /** How the time is found out that a request takes when nobody waits for anybody. */
  readonly minRtt?: {
    /** From one such measurement to the next, in milliseconds. Default 60,000. */
    readonly intervalMs?: number;
    /** Share of the interval by which the next one may come later, 0–100: not all proxies measure at once. Default 15. */
    readonly jitterPercent?: number;
    /** Requests that are measured. Default 50. */
    readonly requests?: number;
    /** Requests that may be under way at a time meanwhile; the limit is never below it. Default 3. */
    readonly minConcurrency?: number;
    /** By how much requests may take longer before the limit falls, in percent. Default 25. */
    readonly bufferPercent?: number;
  };
  /** Status of a refusal, 400–599. Default 503. */
  readonly status?: number;
}

/** Id of the adaptive-concurrency filter. */
export const ADAPTIVE_CONCURRENCY_FILTER = 'tulle.http.adaptive-concurrency';

/** JSON Schema of {@link AdaptiveConcurrencyFilterConfig}. */
export const adaptiveConcurrencyFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    samplePercentile: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 50,
      description: 'Which percentile of the times stands for all of them.',
    },
    maxConcurrency: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
      description: 'The limit never grows past it.',
    },
    updateIntervalMs: {
      type: 'number',
      minimum: 1,
      maximum: 3_600_000,
      default: 100,
      description: 'How often the limit is calculated, in milliseconds.',
    },
    minRtt: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'How the time is found out that a request takes when nobody waits for anybody.',
      properties: {
        intervalMs: {
          type: 'number',
          minimum: 1,
          maximum: 86_400_000,
          default: 60_000,
          description: 'From one measurement to the next, in milliseconds.',
        },
        jitterPercent: {
          type: 'number',
          minimum: 0,
          maximum: 100,
          default: 15,
          description: 'Share of the interval by which the next one may come later.',
        },
        requests: {
          type: 'integer',
          minimum: 1,
          maximum: 1_000_000,
          default: 50,
          description: 'Requests that are measured.',
        },
        minConcurrency: {
          type: 'integer',
          minimum: 1,
          maximum: 1_000_000,
          default: 3,
          description: 'Requests under way at a time meanwhile; the limit is never below it.',
        },
        bufferPercent: {
          type: 'number',
          minimum: 0,
          maximum: 100,
          default: 25,
          description: 'By how much requests may take longer before the limit falls.',
        },
      },
    },
    status: {
      type: 'integer',
      minimum: 400,
      maximum: 599,
      default: 503,
      description: 'Status of a refusal.',
    },
  },
};
