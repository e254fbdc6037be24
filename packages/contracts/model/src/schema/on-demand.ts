import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, milliseconds, name } from './parts.ts';

/** JSON Schema of `OnDemandClusters`. */
export const onDemandClustersSchema: JsonSchema = fields(['source'], {
  source: name,
  timeoutMs: milliseconds(),
});
