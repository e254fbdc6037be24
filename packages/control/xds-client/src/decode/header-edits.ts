import type { HeaderEdits, HeaderValue } from '@tulle/model';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction as AppendAction,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

/**
 * A list of fields to set or add, and names to remove, as edits in the order remove, set, add.
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
  const { header, appendAction, keepEmptyValue } = option;
  if (!header || header.key === '') {
    context.refuse(`${path}.header.key`, 'is missing');
    return;
  }
  const name = header.key;
  const value = header.rawValue.length > 0 ? Buffer.from(header.rawValue).toString('latin1') : header.value;
  if (value === '' && !keepEmptyValue)
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
