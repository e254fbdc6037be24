import type { HeaderEdits, HeaderValue, RouteHeaderEdits, RouteHeaderValue } from '@tulle/model';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction as AppendAction,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

type Listed = 'set' | 'setIfPresent' | 'add' | 'addIfAbsent';

const LISTS: ReadonlyMap<AppendAction, Listed> = new Map([
  [AppendAction.OVERWRITE_IF_EXISTS_OR_ADD, 'set'],
  [AppendAction.OVERWRITE_IF_EXISTS, 'setIfPresent'],
  [AppendAction.APPEND_IF_EXISTS_OR_ADD, 'add'],
  [AppendAction.ADD_IF_ABSENT, 'addIfAbsent'],
]);

/**
 * Edits of a route or what surrounds it. Envoy removes first, then replaces, then adds, whatever the order of the list;
 * what is there it asks before. So an edit on a condition beside another of the same field is refused.
 * @returns `undefined` when nothing is edited
 */
export function decodeRouteEdits(
  context: DecodeContext,
  toAdd: readonly HeaderValueOption[],
  toRemove: readonly string[],
  path: string,
): RouteHeaderEdits | undefined {
  const lists: Record<Listed, RouteHeaderValue[]> = { set: [], setIfPresent: [], add: [], addIfAbsent: [] };
  for (const [index, option] of toAdd.entries()) {
    const edit = decodeRouteEdit(context, option, `${path}[${index}]`);
    if (edit !== undefined) lists[edit.list].push(edit.field);
  }
  for (const list of ['setIfPresent', 'addIfAbsent'] as const)
    for (const { name } of lists[list])
      if (
        Object.entries(lists).some(
          ([other, fields]) => other !== list && fields.some((one) => one.name === name),
        )
      )
        context.refuse(path, `edits "${name}" on a condition, and otherwise too`);
  const { set, setIfPresent, add, addIfAbsent } = lists;
  if (set.length + setIfPresent.length + add.length + addIfAbsent.length + toRemove.length === 0)
    return undefined;
  return present({
    remove: filled([...toRemove]),
    set: filled(set),
    setIfPresent: filled(setIfPresent),
    add: filled(add),
    addIfAbsent: filled(addIfAbsent),
  });
}

/** One field, with the list that its action means. @returns `undefined` for one that does nothing, or after an issue */
export function decodeRouteEdit(
  context: DecodeContext,
  option: HeaderValueOption,
  path: string,
): { readonly list: Listed; readonly field: RouteHeaderValue } | undefined {
  const field = fieldOf(context, option, path);
  if (field === undefined) return undefined;
  const { name, text, keepEmpty } = field;
  const list = LISTS.get(option.appendAction);
  if (list === undefined) {
    context.refuse(`${path}.append_action`, `must be one of Envoy's, but is ${option.appendAction}`);
    return undefined;
  }
  const value = literalOf(text);
  // What comes to nothing is not put, unless it is to be kept.
  if (value === '' && !keepEmpty) return undefined;
  if (value === undefined && keepEmpty)
    context.refuse(`${path}.keep_empty_value`, 'must be false where the value has operators');
  return { list, field: value === undefined ? { name, value: text, format: true } : { name, value } };
}

/** A text of Envoy's formatter without operators; `undefined`: it has some. */
export function literalOf(text: string): string | undefined {
  const pieces = text.split('%%');
  return pieces.some((piece) => piece.includes('%')) ? undefined : pieces.join('%');
}

/**
 * A list of fields to set or add, as edits in the order set, add: what filters and local replies know.
 * @returns `undefined` when nothing is edited
 */
export function decodeHeaderEdits(
  context: DecodeContext,
  toAdd: readonly HeaderValueOption[],
  toRemove: readonly string[],
  path: string,
): HeaderEdits | undefined {
  const set: HeaderValue[] = [];
  const add: HeaderValue[] = [];
  for (const [index, option] of toAdd.entries()) collectField(context, option, set, add, `${path}[${index}]`);
  return collectEdits(set, add, toRemove);
}

/** A field whose value is no format: filters know no operators. @returns `undefined` after an issue */
export function literalValue(
  context: DecodeContext,
  option: HeaderValueOption,
  path: string,
): HeaderValue | undefined {
  const field = fieldOf(context, option, path);
  if (field === undefined) return undefined;
  const value = literalOf(field.text);
  if (value === undefined)
    context.refuse(`${path}.header.value`, 'has operators (%…%), which are honoured of routes alone');
  return value === undefined ? undefined : { name: field.name, value };
}

/** @returns `undefined` when all are empty */
export function collectEdits(
  set: readonly HeaderValue[],
  add: readonly HeaderValue[],
  remove: readonly string[],
): HeaderEdits | undefined {
  if (set.length + add.length + remove.length === 0) return undefined;
  return present({ set: filled(set), add: filled(add), remove: filled([...remove]) });
}

/** Puts one field into the list that its action means, or refuses what a different order would change. */
export function collectField(
  context: DecodeContext,
  option: HeaderValueOption,
  set: HeaderValue[],
  add: HeaderValue[],
  path: string,
): void {
  const { appendAction } = option;
  const field = fieldOf(context, option, path);
  if (field === undefined) return;
  const { name, text: value, keepEmpty } = field;
  if (value === '' && !keepEmpty)
    context.refuse(`${path}.keep_empty_value`, `must be true for "${name}", whose value is empty`);
  if (appendAction === AppendAction.OVERWRITE_IF_EXISTS_OR_ADD) {
    if (add.some((earlier) => earlier.name === name))
      context.refuse(path, `sets "${name}" after adding to it; this proxy sets first`);
    set.push({ name, value });
  } else if (appendAction === AppendAction.APPEND_IF_EXISTS_OR_ADD) {
    add.push({ name, value });
  } else {
    context.refuse(
      `${path}.append_action`,
      `must be OVERWRITE_IF_EXISTS_OR_ADD or APPEND_IF_EXISTS_OR_ADD for "${name}"`,
    );
  }
}

function fieldOf(
  context: DecodeContext,
  { header, keepEmptyValue }: HeaderValueOption,
  path: string,
): { readonly name: string; readonly text: string; readonly keepEmpty: boolean } | undefined {
  if (!header || header.key === '') {
    context.refuse(`${path}.header.key`, 'is missing');
    return undefined;
  }
  const { key: name, value, rawValue } = header;
  const text = rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value;
  return { name, text, keepEmpty: keepEmptyValue };
}
