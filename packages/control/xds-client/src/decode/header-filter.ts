import type { HeaderEdits, HeadersFilterConfig, HeaderValue } from '@tulle/model';
import type { HeaderMutation } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import type { Mutations } from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import type { DecodeContext } from './context.ts';
import { collectEdits, collectField } from './header-edits.ts';
import { present } from './values.ts';

export function decodeHeaderMutations(
  context: DecodeContext,
  mutations: Mutations | undefined,
  path: string,
): HeadersFilterConfig {
  return present({
    request: decodeMutations(context, mutations?.requestMutations ?? [], `${path}.request_mutations`),
    response: decodeMutations(context, mutations?.responseMutations ?? [], `${path}.response_mutations`),
  });
}

/** Envoy runs through its list; ours are in the order remove, set, add, so a removal of what came before is refused. */
function decodeMutations(
  context: DecodeContext,
  mutations: readonly HeaderMutation[],
  path: string,
): HeaderEdits | undefined {
  const set: HeaderValue[] = [];
  const add: HeaderValue[] = [];
  const remove: string[] = [];
  for (const [index, { action }] of mutations.entries()) {
    const here = `${path}[${index}]`;
    if (action.case === 'append') collectField(context, action.value, set, add, `${here}.append`);
    else if (action.case === 'remove') {
      const name = action.value;
      if ([...set, ...add].some((earlier) => earlier.name === name))
        context.refuse(here, `removes "${name}" after setting it; this proxy removes first`);
      remove.push(name);
    } else context.refuse(here, 'names no action: give remove or append');
  }
  return collectEdits(set, add, remove);
}
