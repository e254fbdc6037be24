import type { ValueMatch } from '../route.ts';
import { stringMatchSchema } from '../schema/string-match.ts';
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
    /** Body of the answer, and `grpc-message` of one to a gRPC call (Envoy `response_body`). Default: a text that names the error. */
    readonly body?: string;
  };
  /** Slows the bodies of responses down (Envoy `response_rate_limit`). */
  readonly responseRate?: {
    /** KiB a second. */
    readonly kibPerSecond: number;
    /** Share of requests, 0–100. Default 100. */
    readonly percent?: number;
  };
  /**
   * Faults that a request asks for itself, as Envoy's `header_delay`, `header_abort` and `header_limit`: by
   * `x-envoy-fault-delay-request` (milliseconds), `-abort-request`, `-abort-grpc-request`, `-throughput-response` (KiB a
   * second), each with `…-percentage` where the share is to be less. Each in place of what is said above. Default none.
   */
  readonly byHeader?: {
    readonly delay?: FaultShare;
    readonly abort?: FaultShare & {
      /** As `body` above. */
      readonly body?: string;
    };
    readonly responseRate?: FaultShare;
  };
  /**
   * What later filters and logs know of a request that is delayed or aborted, under the filter's name; of one that is only slowed down they
   * know nothing, as in Envoy (`filter_metadata`). Default none.
   */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Only requests with all of these header values (exact). */
  readonly headers?: Readonly<Record<string, string>>;
  /** Only requests that fulfil all of these conditions on headers. */
  readonly match?: readonly ValueMatch[];
  /** Only requests to this cluster. */
  readonly cluster?: string;
  /** Only requests whose `x-envoy-downstream-service-node` is one of these. */
  readonly nodes?: readonly string[];
  /** Delays held at a time; past it a request passes undelayed and is counted. Default 1,000. */
  readonly maxActiveDelays?: number;
  /** Requests with a fault under way, of whatever kind; past it there is none (Envoy `max_active_faults`). Default any number. */
  readonly maxActiveFaults?: number;
}

/** What a route, or what stands around it, gives differently. */
export interface FaultOverride extends FaultFilterConfig {
  /**
   * It stands in place of the chain's, and of those around it, whole, as the most specific one does in Envoy. Default false:
   * it changes what it names, and the rest stays.
   */
  readonly replaces?: boolean;
}

/** The largest share that a request may ask for. */
export interface FaultShare {
  /** 0–100. Default 100. */
  readonly percent?: number;
  /**
   * What a request's `…-percentage` is a part of (Envoy takes it for a numerator beside the denominator that is configured).
   * Default 100.
   */
  readonly denominator?: 10_000 | 1_000_000;
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
const shareProperties: Readonly<Record<string, JsonSchema>> = {
  percent,
  denominator: {
    enum: [10_000, 1_000_000],
    description: 'What the percentage that a request says is a part of. Default 100.',
  },
};
const share: JsonSchema = { type: 'object', additionalProperties: false, properties: shareProperties };
const body: JsonSchema = {
  type: 'string',
  minLength: 1,
  description:
    'Body of the answer, and grpc-message of one to a gRPC call. Default: a text that names the error.',
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
        body,
      },
    },
    responseRate: {
      type: 'object',
      additionalProperties: false,
      required: ['kibPerSecond'],
      description: 'Slows the bodies of responses down.',
      properties: {
        kibPerSecond: { type: 'number', minimum: 1, description: 'KiB a second.' },
        percent,
      },
    },
    byHeader: {
      type: 'object',
      additionalProperties: false,
      description: 'Faults that a request asks for itself, by x-envoy-fault-… headers.',
      properties: {
        delay: share,
        abort: { ...share, properties: { ...shareProperties, body } },
        responseRate: share,
      },
    },
    metadata: {
      type: 'object',
      additionalProperties: true,
      description:
        'What later filters and logs know of a request that is delayed or aborted, under the filter’s name.',
    },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Only requests with all of these header values.',
    },
    match: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      description: 'Only requests that fulfil all of these conditions on headers.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'match'],
        properties: {
          name: { type: 'string', minLength: 1 },
          match: stringMatchSchema,
          invert: { type: 'boolean', default: false },
        },
      },
    },
    cluster: { type: 'string', minLength: 1, description: 'Only requests to this cluster.' },
    nodes: {
      type: 'array',
      minItems: 1,
      maxItems: 1_000,
      items: { type: 'string' },
      description: 'Only requests whose x-envoy-downstream-service-node is one of these.',
    },
    maxActiveDelays: { type: 'integer', minimum: 0, default: 1000, description: 'Delays held at a time.' },
    maxActiveFaults: {
      type: 'integer',
      minimum: 0,
      description: 'Requests with a fault under way, past which there is none. Default: any number.',
    },
  },
};

/** JSON Schema of {@link FaultOverride}. */
export const faultOverrideSchema: JsonSchema = {
  ...faultFilterSchema,
  properties: {
    ...(faultFilterSchema['properties'] as JsonSchema),
    replaces: {
      type: 'boolean',
      default: false,
      description: 'Stands in place of the chain’s whole, instead of changing what it names.',
    },
  },
};
