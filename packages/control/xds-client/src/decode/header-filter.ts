import type { HeaderEdits, HeadersFilterConfig, HeaderStep, HeaderValue } from '@tulle/model';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction as AppendAction,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { HeaderMutation } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import type { Mutations } from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import type { DecodeContext } from './context.ts';
import { collectEdits, literalValue } from './header-edits.ts';
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
    request: requestEdits,
    response: responseEdits,
    requestSteps: requestEdits ? undefined : filled(request),
    responseSteps: responseEdits ? undefined : filled(response),
  });
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
  if (action.case === 'append') return decodeAppend(context, action.value, `${path}.append`);
  context.refuse(path, 'names no action: give remove or append');
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
