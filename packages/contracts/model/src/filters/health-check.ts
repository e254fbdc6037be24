import type { ValueMatch } from '../route.ts';
import { stringMatchSchema } from '../schema/string-match.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.health-check`: requests by which a load balancer asks whether this proxy is well are answered here
 * (Envoy `filters.http.health_check.v3.HealthCheck`). 200 while it serves, 503 while it drains.
 */
export interface HealthCheckFilterConfig {
  /** Which requests; all conditions must hold. Also `:path`, `:method`, `:authority`. */
  readonly match: readonly ValueMatch[];
  /** `proxy`: by what is known here. `service`: the request goes on; only while the proxy drains it is answered here. Default `proxy`. */
  readonly answerBy?: 'proxy' | 'service';
  /** With `service`: its last status is the answer for so long. Default 0: every request goes on. */
  readonly cacheMs?: number;
  /** With `proxy`: the least share of fit endpoints of clusters, 0–100, below which the answer is 503. */
  readonly minHealthyPercent?: Readonly<Record<string, number>>;
}

/** Id of the health check filter. */
export const HEALTH_CHECK_FILTER = 'tulle.http.health-check';

/** JSON Schema of {@link HealthCheckFilterConfig}. */
export const healthCheckFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['match'],
  properties: {
    match: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      description: 'Which requests; all conditions must hold. Also :path, :method, :authority.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'match'],
        properties: {
          name: { type: 'string', minLength: 1, description: 'Field name.' },
          match: stringMatchSchema,
          invert: { type: 'boolean', default: false, description: 'Holds when the match does not.' },
        },
      },
    },
    answerBy: {
      enum: ['proxy', 'service'],
      default: 'proxy',
      description: 'By what is known here, or by the service, to which the request goes on.',
    },
    cacheMs: {
      type: 'integer',
      minimum: 0,
      maximum: 3_600_000,
      default: 0,
      description: 'How long the service’s last status is the answer, in milliseconds.',
    },
    minHealthyPercent: {
      type: 'object',
      maxProperties: 1_000,
      additionalProperties: { type: 'number', minimum: 0, maximum: 100 },
      description: 'By cluster, the least share of fit endpoints, below which the answer is 503.',
    },
  },
};
