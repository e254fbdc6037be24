import type { JsonSchema } from '../filters/json-schema.ts';
import { routeHeaderEditsSchema } from './header-edits.ts';
import { fields, flag, listOf, name, percent } from './parts.ts';

const mirror: JsonSchema = {
  ...fields([], {
    cluster: name,
    clusterHeader: name,
    percent,
    shadowHost: flag,
    host: name,
    edits: listOf(routeHeaderEditsSchema),
  }),
  oneOf: [{ required: ['cluster'] }, { required: ['clusterHeader'] }],
};

/** JSON Schema of a list of `Mirror`. */
export const mirrorsSchema: JsonSchema = listOf(mirror);
