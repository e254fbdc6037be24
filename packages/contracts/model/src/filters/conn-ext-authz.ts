import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.conn.ext-authz`: a service is asked about every connection (Envoy's network `ext_authz`), once, after the
 * handshake.
 */
export interface ConnExtAuthzFilterConfig {
  readonly service: {
    /** Speaks HTTP/2, and `envoy.service.auth.v3.Authorization/Check`. */
    readonly cluster: string;
    /** `:authority` of checks. Default the cluster's name. */
    readonly authority?: string;
  };
  /** For one check. Default 200 (Envoy). */
  readonly timeoutMs?: number;
  /** What becomes of a connection when the service gives no answer that can be used. Default `deny`. */
  readonly failureMode?: 'deny' | 'allow';
  /** Tell it the server name that was asked for (Envoy `include_tls_session`). Default false. */
  readonly tellServerName?: boolean;
  /** Show it the caller's certificate (Envoy `include_peer_certificate`). Default false. */
  readonly tellCertificate?: boolean;
}

/** Id of the filter. */
export const CONN_EXT_AUTHZ_FILTER = 'tulle.conn.ext-authz';

/** JSON Schema of {@link ConnExtAuthzFilterConfig}. */
export const connExtAuthzFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['service'],
  properties: {
    service: {
      type: 'object',
      additionalProperties: false,
      required: ['cluster'],
      description: 'Who is asked.',
      properties: {
        cluster: { type: 'string', minLength: 1, description: 'Cluster that is asked; it speaks HTTP/2.' },
        authority: {
          type: 'string',
          minLength: 1,
          description: ':authority of checks. Default the cluster’s name.',
        },
      },
    },
    timeoutMs: {
      type: 'integer',
      minimum: 1,
      maximum: 60_000,
      default: 200,
      description: 'For one check, in milliseconds.',
    },
    failureMode: {
      enum: ['deny', 'allow'],
      default: 'deny',
      description: 'What becomes of a connection when the service gives no answer that can be used.',
    },
    tellServerName: {
      type: 'boolean',
      default: false,
      description: 'Tell the service the server name that was asked for.',
    },
    tellCertificate: {
      type: 'boolean',
      default: false,
      description: 'Show the service the caller’s certificate.',
    },
  },
};
