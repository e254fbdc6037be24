import type { FieldTable } from '@tulle/fields';

/** Adds a value to a list. Several lines are a list as they stand; they are never joined. */
export function appendField(fields: FieldTable, name: string, value: string, separator: string = ', '): void {
  const lines = fields.getAll(name);
  if (lines.length === 1) fields.put(name, `${lines[0] as string}${separator}${value}`);
  else fields.add(name, value);
}
