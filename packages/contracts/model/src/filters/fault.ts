import type { JsonSchema } from './json-schema.ts';

/** Configuration of `tulle.http.fault`. */
export interface FaultFilterConfig {
  readonly delay?: {
    /** Added before the request goes on. */
    readonly durationMs: number;
    /** Share of requests, 0–100. Default 100. */
    readonly percent?: number;
  };
  readonly abort?: {
    /** 200–599. */
    readonly status: number;
    /** Share of requests, 0–100. Default 100. */
    readonly percent?: number;
  };
  /** Only requests with all of these header values (exact). */
  readonly headers?: Readonly<Record<string, string>>;
  /** Delays held at a time; past it a request passes undelayed and is counted. Default 1,000. */
  readonly maxActiveDelays?: number;
}

/** Id of the fault-injection filter. */
export const FAULT_FILTER = 'tulle.http.fault';

const percent: JsonSchema = {
  type: 'number',
  minimum: 0,
  maximum: 100,
  default: 100,
  description: 'Share of requests in percent.',
};

/** JSON Schema of {@link FaultFilterConfig}. */
export const faultFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    delay: {
      type: 'object',
      additionalProperties: false,
      required: ['durationMs'],
      properties: {
        durationMs: { type: 'number', minimum: 0, maximum: 3_600_000, description: 'Delay in milliseconds.' },
        percent,
      },
    },
    abort: {
      type: 'object',
      additionalProperties: false,
      required: ['status'],
      properties: {
        status: { type: 'integer', minimum: 200, maximum: 599, description: 'Status of the answer.' },
        percent,
      },
    },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Only requests with all of these header values.',
    },
    maxActiveDelays: { type: 'integer', minimum: 0, default: 1000, description: 'Delays held at a time.' },
  },
};
