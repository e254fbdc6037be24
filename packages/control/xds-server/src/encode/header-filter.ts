import { create } from '@bufbuild/protobuf';
import type {
  HeaderEdits,
  HeadersFilterConfig,
  HeaderStep,
  HeaderValue,
  QueryStep,
  QueryValue,
} from '@tulle/model';
import {
  KeyValueAppend_KeyValueAppendAction as QueryAction,
  type KeyValueMutationSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { HeaderMutationSchema as MutationSchema } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import {
  type Mutations,
  MutationsSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import { encodeField } from './header-edits.ts';
import { encodeStringMatch } from './matchers.ts';
import { hasOnly, isCondition, isFilledList, isObject, isText } from './shape.ts';
import type { Fields } from './values.ts';

/** Whether the most specific place wins. */
export function hasSpecificLast(config: unknown): boolean {
  return isObject(config) && config['specificLast'] === true;
}

/** @param places whether it may say in which order those of several places come @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeHeaderMutations(config: unknown, places: boolean): Mutations | undefined {
  if (!isHeadersConfig(config) || (!places && config.specificLast !== undefined)) return undefined;
  return create(MutationsSchema, {
    requestMutations: mutations(config.request, config.requestSteps),
    responseMutations: mutations(config.response, config.responseSteps),
    requestTrailersMutations: mutations(undefined, config.requestTrailerSteps),
    responseTrailersMutations: mutations(undefined, config.responseTrailerSteps),
    queryParameterMutations: (config.querySteps ?? []).map(queryMutation),
  });
}

function mutations(
  edits: HeaderEdits | undefined,
  steps: readonly HeaderStep[] | undefined,
): Fields<typeof MutationSchema>[] {
  const all: HeaderStep[] = [
    ...(edits?.remove ?? []).map((remove) => ({ remove })),
    ...(edits?.set ?? []).map((set) => ({ set })),
    ...(edits?.add ?? []).map((add) => ({ add })),
    ...(steps ?? []),
  ];
  return all.map((step) => {
    if ('remove' in step) return { action: { case: 'remove', value: step.remove } } as const;
    if ('removeOnMatch' in step)
      return {
        action: {
          case: 'removeOnMatch',
          value: { keyMatcher: encodeStringMatch(step.removeOnMatch as TextMatch) },
        },
      } as const;
    const [[way, field]] = Object.entries(step) as [[keyof typeof WAYS, HeaderValue]];
    return { action: { case: 'append', value: encodeField(field, way) } } as const;
  });
}

type TextMatch = Parameters<typeof encodeStringMatch>[0];

const QUERY_WAYS = {
  set: QueryAction.OVERWRITE_IF_EXISTS_OR_ADD,
  setIfPresent: QueryAction.OVERWRITE_IF_EXISTS,
  add: QueryAction.APPEND_IF_EXISTS_OR_ADD,
  addIfAbsent: QueryAction.ADD_IF_ABSENT,
} as const;

function queryMutation(step: QueryStep): Fields<typeof KeyValueMutationSchema> {
  if ('remove' in step) return { remove: step.remove };
  const [[way, { name, value }]] = Object.entries(step) as [[keyof typeof QUERY_WAYS, QueryValue]];
  return {
    append: {
      // A value is a format, in which a percent sign is two.
      record: {
        key: name,
        value: { kind: { case: 'stringValue', value: value.replaceAll('%', '%%') } },
      },
      action: QUERY_WAYS[way],
    },
  };
}

function isQueryStep(step: unknown): step is QueryStep {
  if (!isObject(step)) return false;
  const [[way, value] = ['', undefined], ...more] = Object.entries(step);
  if (more.length > 0) return false;
  if (way === 'remove') return isText(value) && value !== '';
  return (
    Object.hasOwn(QUERY_WAYS, way) &&
    isObject(value) &&
    hasOnly(value, ['name', 'value']) &&
    isText(value['name']) &&
    value['name'] !== '' &&
    isText(value['value'])
  );
}

const WAYS = { set: true, add: true, setIfPresent: true, addIfAbsent: true } as const;

function isHeadersConfig(config: unknown): config is HeadersFilterConfig {
  if (!isObject(config)) return false;
  const { request, response, specificLast, querySteps, ...steps } = config;
  const { requestSteps, responseSteps, requestTrailerSteps, responseTrailerSteps, ...more } = steps;
  return (
    Object.keys(more).length === 0 &&
    [undefined, true, false].includes(specificLast as boolean | undefined) &&
    (request === undefined || isEdits(request)) &&
    (response === undefined || isEdits(response)) &&
    (querySteps === undefined || isFilledList(querySteps, isQueryStep)) &&
    [requestSteps, responseSteps, requestTrailerSteps, responseTrailerSteps].every(
      (list) => list === undefined || isFilledList(list, isStep),
    )
  );
}

function isStep(step: unknown): step is HeaderStep {
  if (!isObject(step)) return false;
  const [[way, value] = ['', undefined], ...more] = Object.entries(step);
  if (more.length > 0) return false;
  if (way === 'removeOnMatch')
    return isCondition({ name: 'x', match: value }) && isObject(value) && value['kind'] !== 'present';
  return way === 'remove' ? isText(value) && value !== '' : Object.hasOwn(WAYS, way) && isField(value);
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
