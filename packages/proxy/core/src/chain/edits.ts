import { findInvalidValue, type FieldTable } from '@tulle/fields';
import { applyEdits, type CompiledEdits, type DependingEdit } from '../compile/compiled.ts';
import type { Stream } from '../stream/stream.ts';

/** Edits the fields of a stream's request or response as its route says, one place after the other. */
export function editFields(stream: Stream, fields: FieldTable, edits: readonly CompiledEdits[]): void {
  for (let i = 0; i < edits.length; i++) {
    const one = edits[i] as CompiledEdits;
    if (one.depending === null) applyEdits(fields, [one]);
    else editDepending(stream, fields, one, one.depending);
  }
}

/** What is there, and what values come to, is asked when fields are removed and before any is put. */
function editDepending(
  stream: Stream,
  fields: FieldTable,
  { remove, set, add }: CompiledEdits,
  depending: readonly DependingEdit[],
): void {
  for (const name of remove) fields.drop(name);
  const put: string[] = [...set];
  const added: string[] = [...add];
  for (const edit of depending) {
    const { how, name } = edit;
    if ((how === 'set-if-present' && !fields.has(name)) || (how === 'add-if-absent' && fields.has(name)))
      continue;
    const value = valueOf(stream, edit);
    if (value === undefined) continue;
    if (how === 'add' || how === 'add-if-absent') added.push(name, value);
    else put.push(name, value);
  }
  for (let at = 0; at < put.length; at += 2) fields.put(put[at] as string, put[at + 1] as string);
  for (let at = 0; at < added.length; at += 2) fields.add(added[at] as string, added[at + 1] as string);
}

/** @returns `undefined` where a made value comes to nothing, or to what no field can hold */
function valueOf(stream: Stream, { value, render }: DependingEdit): string | undefined {
  if (render === undefined) return value;
  const made = stream.engine.recorder.describe(stream, render);
  return made === '' || findInvalidValue(made) >= 0 ? undefined : made;
}
