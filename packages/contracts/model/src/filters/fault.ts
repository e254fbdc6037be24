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
    /** Status of gRPC, 0–16, that gRPC calls get. Default: what they take `status` for. */
    readonly grpcStatus?: number;
    /** Share of requests, 0–100. Default 100. */
    readonly percent?: number;
  };
  /** Only requests with all of these header values (exact). */
  readonly headers?: Readonly<Record<string, string>>;
  /** Delays held at a time; past it a request passes undelayed and is counted. Default 1,000. */
  readonly maxActiveDelays?: number;
}

/** HTTP statuses of gRPC's, by number, for who speaks no gRPC (Envoy `Grpc::Utility::grpcToHttpStatus`). */
export const GRPC_HTTP_STATUSES: readonly number[] = Object.freeze([
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
]);

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
        grpcStatus: {
          type: 'integer',
          minimum: 0,
          maximum: 16,
          description: 'Status that gRPC calls get. Default: what they take status for.',
        },
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
