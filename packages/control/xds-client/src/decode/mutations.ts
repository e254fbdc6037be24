import type { RouteHeaderEdits } from '@tulle/model';
import type { HeaderMutation } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import type { DecodeContext } from './context.ts';
import { decodeRouteEdit } from './header-edits.ts';

/** Edits one after the other, each by itself, as Envoy runs through such lists. @param path of the list */
export function decodeMutations(
  context: DecodeContext,
  mutations: readonly HeaderMutation[],
  path: string,
): RouteHeaderEdits[] {
  return mutations.flatMap((one, at) => editOf(context, one, `${path}[${at}]`) ?? []);
}

function editOf(
  context: DecodeContext,
  { action }: HeaderMutation,
  path: string,
): RouteHeaderEdits[] | undefined {
  if (action.case === 'remove') {
    if (action.value === '') context.refuse(`${path}.remove`, 'is empty');
    return [{ remove: [action.value] }];
  }
  if (action.case === 'append') {
    const edit = decodeRouteEdit(context, action.value, `${path}.append`);
    return edit && [{ [edit.list]: [edit.field] }];
  }
  context.refuse(
    action.case === 'removeOnMatch' ? `${path}.remove_on_match` : path,
    'must be remove or append here',
  );
  return undefined;
}
