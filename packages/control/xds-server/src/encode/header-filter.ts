import { create } from '@bufbuild/protobuf';
import type { HeaderEdits, HeadersFilterConfig, HeaderValue } from '@tulle/model';
import type { HeaderMutationSchema as MutationSchema } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import {
  type Mutations,
  MutationsSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import { encodeAdd, encodeSet } from './header-edits.ts';
import { hasOnly, isFilledList, isObject, isText } from './shape.ts';
import type { Fields } from './values.ts';

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeHeaderMutations(config: unknown): Mutations | undefined {
  if (!isHeadersConfig(config)) return undefined;
  return create(MutationsSchema, {
    requestMutations: mutations(config.request),
    responseMutations: mutations(config.response),
  });
}

function mutations(edits: HeaderEdits | undefined): Fields<typeof MutationSchema>[] {
  return [
    ...(edits?.remove ?? []).map((name) => ({ action: { case: 'remove', value: name } }) as const),
    ...(edits?.set ?? []).map((field) => ({ action: { case: 'append', value: encodeSet(field) } }) as const),
    ...(edits?.add ?? []).map((field) => ({ action: { case: 'append', value: encodeAdd(field) } }) as const),
  ];
}

function isHeadersConfig(config: unknown): config is HeadersFilterConfig {
  return isObject(config) && hasOnly(config, ['request', 'response']) && Object.values(config).every(isEdits);
}

function isEdits(edits: unknown): edits is HeaderEdits {
  if (!isObject(edits) || !hasOnly(edits, ['set', 'add', 'remove']) || Object.keys(edits).length === 0)
    return false;
  const { set, add, remove } = edits;
  return (
    (set === undefined || isFilledList(set, isField)) &&
    (add === undefined || isFilledList(add, isField)) &&
    (remove === undefined || isFilledList(remove, isText))
  );
}

function isField(field: unknown): field is HeaderValue {
  return (
    isObject(field) && hasOnly(field, ['name', 'value']) && isText(field['name']) && isText(field['value'])
  );
}
