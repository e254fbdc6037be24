import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.buffer`: the whole body of a request is collected before the service is asked, for services
 * that suffer from slow callers (Envoy `filters.http.buffer.v3.Buffer`).
 */
export interface BufferFilterConfig {
  /** Larger bodies are refused with 413. Envoy `max_request_bytes`. */
  readonly maxRequestBytes: number;
}

/** Id of the buffer filter. */
export const BUFFER_FILTER = 'tulle.http.buffer';

/** JSON Schema of {@link BufferFilterConfig}. */
export const bufferFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['maxRequestBytes'],
  properties: {
    maxRequestBytes: {
      type: 'integer',
      minimum: 1,
      maximum: 1_073_741_824,
      description: 'Largest body of a request; a larger one is refused with 413.',
    },
  },
};
