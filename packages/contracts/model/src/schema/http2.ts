import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, milliseconds, percent, whole } from './parts.ts';

const MAX_WINDOW_BYTES = 2_147_483_647;

/** JSON Schema of `Http2Options`. */
export const http2OptionsSchema: JsonSchema = fields([], {
  maxConcurrentStreams: whole(1, 2_147_483_647),
  initialStreamWindowBytes: whole(65_535, MAX_WINDOW_BYTES),
  initialConnectionWindowBytes: whole(65_535, MAX_WINDOW_BYTES),
  hpackTableBytes: whole(0, 65_536),
  keepalive: fields([], {
    intervalMs: milliseconds(1_000),
    jitterPercent: percent,
    idleIntervalMs: milliseconds(1),
    timeoutMs: milliseconds(1),
  }),
});
