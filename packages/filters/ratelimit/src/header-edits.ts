import type { MutableHeaders } from '@tulle/filter';
import type { HeaderEdits } from '@tulle/model';

/** Makes edits in the order remove, set, add. */
export function applyEdits(headers: MutableHeaders, edits: HeaderEdits | undefined): void {
  if (edits === undefined) return;
  for (const name of edits.remove ?? []) headers.remove(name.toLowerCase());
  for (const { name, value } of edits.set ?? []) headers.set(name.toLowerCase(), value);
  for (const { name, value } of edits.add ?? []) headers.append(name.toLowerCase(), value);
}
