import { isMessage } from '@bufbuild/protobuf';
import type { HttpHandler, RouteHeaderEdits } from '@tulle/model';
import type { HeaderMutation } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import { HeaderMutationSchema } from '@tulle/xds-proto/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation';
import type { DecodeContext } from './context.ts';
import { decodeRouteEdit } from './header-edits.ts';
import { filled } from './values.ts';

/** What is done to requests before anything looks at them; each edit by itself, as Envoy runs through its lists. */
export function decodeEarlyEdits(
  context: DecodeContext,
  extensions: readonly TypedExtensionConfig[],
  path: string,
): HttpHandler['earlyEdits'] {
  return filled(
    extensions.flatMap(({ typedConfig }, index) => {
      const here = `${path}[${index}].typed_config`;
      const message = context.open(typedConfig, here);
      if (message && isMessage(message, HeaderMutationSchema))
        return message.mutations.flatMap(
          (one, at): RouteHeaderEdits[] => editOf(context, one, `${here}.mutations[${at}]`) ?? [],
        );
      if (message) context.refuse(here, `must be a HeaderMutation, not ${message.$typeName}`);
      return [];
    }),
  );
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
  // Nothing is put away by a pattern before anything looks at it.
  context.refuse(
    action.case === 'removeOnMatch' ? `${path}.remove_on_match` : path,
    'must be remove or append here',
  );
  return undefined;
}
