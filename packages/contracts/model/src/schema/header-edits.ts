import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, names, text } from './parts.ts';

const values: JsonSchema = listOf(fields(['name', 'value'], { name, value: text, format: flag }));
const headerAdditions = {
  set: values,
  setIfPresent: values,
  add: values,
  addIfAbsent: values,
};

/** JSON Schema of `RouteHeaderEdits` without `remove`. */
export const routeHeaderAdditionsSchema: JsonSchema = fields([], headerAdditions);

/** JSON Schema of `RouteHeaderEdits`. */
export const routeHeaderEditsSchema: JsonSchema = fields([], {
  remove: names,
  ...headerAdditions,
});
