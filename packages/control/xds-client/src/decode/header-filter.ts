import type { HeaderEdits, HeadersFilterConfig, HeaderStep, HeaderValue, QueryStep } from '@tulle/model';
import {
  KeyValueAppend_KeyValueAppendAction as QueryAction,
  type HeaderValueOption,
  type KeyValueMutation,
  HeaderValueOption_HeaderAppendAction as AppendAction,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { HeaderMutation } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import type { Mutations } from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import type { DecodeContext } from './context.ts';
import { collectEdits, literalOf, literalValue } from './header-edits.ts';
import { decodeStringMatch } from './matchers.ts';
import { filled, present } from './values.ts';

export function decodeHeaderMutations(
  context: DecodeContext,
  mutations: Mutations | undefined,
  path: string,
): HeadersFilterConfig {
  const side = (list: readonly HeaderMutation[], field: string): HeaderStep[] =>
    list.flatMap((one, index) => decodeStep(context, one, `${path}.${field}[${index}]`) ?? []);
  const request = side(mutations?.requestMutations ?? [], 'request_mutations');
  const response = side(mutations?.responseMutations ?? [], 'response_mutations');
  const [requestEdits, responseEdits] = [editsOf(request), editsOf(response)];
  return present({
    ...decodeMore(context, mutations, side, path),
    request: requestEdits,
    response: responseEdits,
    requestSteps: requestEdits ? undefined : filled(request),
    responseSteps: responseEdits ? undefined : filled(response),
  });
}

/** Trailers, and parameters of the query. */
function decodeMore(
  context: DecodeContext,
  mutations: Mutations | undefined,
  side: (list: readonly HeaderMutation[], field: string) => HeaderStep[],
  path: string,
): Pick<HeadersFilterConfig, 'querySteps' | 'requestTrailerSteps' | 'responseTrailerSteps'> {
  return present({
    querySteps: filled(
      (mutations?.queryParameterMutations ?? []).flatMap(
        (one, index) => decodeQueryStep(context, one, `${path}.query_parameter_mutations[${index}]`) ?? [],
      ),
    ),
    requestTrailerSteps: filled(
      side(mutations?.requestTrailersMutations ?? [], 'request_trailers_mutations'),
    ),
    responseTrailerSteps: filled(
      side(mutations?.responseTrailersMutations ?? [], 'response_trailers_mutations'),
    ),
  });
}

const QUERY_WAYS: ReadonlyMap<QueryAction, 'set' | 'add' | 'setIfPresent' | 'addIfAbsent'> = new Map([
  [QueryAction.OVERWRITE_IF_EXISTS_OR_ADD, 'set'],
  [QueryAction.OVERWRITE_IF_EXISTS, 'setIfPresent'],
  [QueryAction.APPEND_IF_EXISTS_OR_ADD, 'add'],
  [QueryAction.ADD_IF_ABSENT, 'addIfAbsent'],
]);

/** @returns `undefined` after an issue */
function decodeQueryStep(
  context: DecodeContext,
  { append, remove }: KeyValueMutation,
  path: string,
): QueryStep | undefined {
  if ((append === undefined) === (remove === '')) {
    context.refuse(path, 'must have either append or remove');
    return undefined;
  }
  if (append === undefined) return { remove };
  const at = `${path}.append.record`;
  const { key = '', value } = append.record ?? {};
  const text = value?.kind.case === 'stringValue' ? literalOf(value.kind.value) : undefined;
  if (key === '') context.refuse(`${at}.key`, 'is missing');
  if (value?.kind.case !== 'stringValue') context.refuse(`${at}.value`, 'must be a string');
  else if (text === undefined)
    context.refuse(`${at}.value`, 'has operators (%…%), which are honoured of routes alone');
  const way = QUERY_WAYS.get(append.action);
  if (way === undefined)
    context.refuse(`${path}.append.action`, `must be one of Envoy's, but is ${append.action}`);
  if (key === '' || text === undefined || way === undefined) return undefined;
  return { [way]: { name: key, value: text } } as unknown as QueryStep;
}

const WAYS: ReadonlyMap<AppendAction, 'set' | 'add' | 'setIfPresent' | 'addIfAbsent'> = new Map([
  [AppendAction.OVERWRITE_IF_EXISTS_OR_ADD, 'set'],
  [AppendAction.OVERWRITE_IF_EXISTS, 'setIfPresent'],
  [AppendAction.APPEND_IF_EXISTS_OR_ADD, 'add'],
  [AppendAction.ADD_IF_ABSENT, 'addIfAbsent'],
]);

/** @returns `undefined` for one that does nothing, or after an issue */
function decodeStep(
  context: DecodeContext,
  { action }: HeaderMutation,
  path: string,
): HeaderStep | undefined {
  if (action.case === 'remove') {
    if (action.value === '') context.refuse(`${path}.remove`, 'is empty');
    return { remove: action.value };
  }
  if (action.case === 'removeOnMatch')
    return {
      removeOnMatch: decodeStringMatch(
        context,
        action.value.keyMatcher,
        `${path}.remove_on_match.key_matcher`,
      ),
    };
  if (action.case === 'append') return decodeAppend(context, action.value, `${path}.append`);
  context.refuse(path, 'names no action: give remove, append or remove_on_match');
  return undefined;
}

function decodeAppend(
  context: DecodeContext,
  option: HeaderValueOption,
  path: string,
): HeaderStep | undefined {
  const field = literalValue(context, option, path);
  const way = WAYS.get(option.appendAction);
  if (way === undefined)
    context.refuse(`${path}.append_action`, `must be one of Envoy's, but is ${option.appendAction}`);
  if (field === undefined || way === undefined) return undefined;
  // What is empty is not put, unless it is to be kept.
  if (field.value === '' && !option.keepEmptyValue) return undefined;
  return { [way]: field } as unknown as HeaderStep;
}

/** Envoy runs through its list; where it happens to be in the order remove, set, add, it says the same as edits. */
function editsOf(steps: readonly HeaderStep[]): HeaderEdits | undefined {
  const remove: string[] = [];
  const set: HeaderValue[] = [];
  const add: HeaderValue[] = [];
  for (const step of steps) {
    if ('remove' in step && set.length + add.length === 0) remove.push(step.remove);
    else if ('set' in step && add.length === 0) set.push(step.set);
    else if ('add' in step) add.push(step.add);
    else return undefined;
  }
  return collectEdits(set, add, remove);
}
