import type { MutableHeaders } from '@tulle/filter';
import { type CompileContext, compileStringMatch } from '@tulle/match';
import type { HeaderEdits, HeadersFilterConfig, HeaderStep, HeaderValue } from '@tulle/model';

/** Fields of framing and routing, which belong to the engine; an edit would fail in every request. */
export const ENGINE_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is edited. */
export const SIDES = ['request', 'response', 'requestTrailers', 'responseTrailers'] as const;
export type Side = (typeof SIDES)[number];

/** Where the steps of a side stand. */
export const STEPS_OF: {
  readonly request: 'requestSteps';
  readonly response: 'responseSteps';
  readonly requestTrailers: 'requestTrailerSteps';
  readonly responseTrailers: 'responseTrailerSteps';
} = {
  request: 'requestSteps',
  response: 'responseSteps',
  requestTrailers: 'requestTrailerSteps',
  responseTrailers: 'responseTrailerSteps',
};

/** What is done with a field. */
type Way = 'remove' | 'set' | 'add' | 'setIfPresent' | 'addIfAbsent';

/** One edit; the name in lower case. */
export type Edit =
  | { readonly way: Way; readonly name: string; readonly value: string }
  | { readonly way: 'removeOnMatch'; readonly test: (name: string) => boolean };

/** Goes through edits. */
export function applyEdits(fields: MutableHeaders, edits: readonly Edit[]): void {
  for (const edit of edits) {
    switch (edit.way) {
      case 'removeOnMatch':
        removeMatching(fields, edit.test);
        break;
      case 'remove':
        fields.remove(edit.name);
        break;
      case 'set':
        fields.set(edit.name, edit.value);
        break;
      case 'add':
        fields.append(edit.name, edit.value);
        break;
      case 'setIfPresent':
        if (fields.has(edit.name)) fields.set(edit.name, edit.value);
        break;
      case 'addIfAbsent':
        if (!fields.has(edit.name)) fields.append(edit.name, edit.value);
        break;
    }
  }
}

function removeMatching(fields: MutableHeaders, test: (name: string) => boolean): void {
  // From the end: to remove a name moves those behind it, or several.
  for (let index = fields.length - 1; index >= 0; index = Math.min(index, fields.length) - 1) {
    const name = fields.name(index);
    if (!ENGINE_FIELDS.has(name) && test(name)) fields.remove(name);
  }
}

/** The edits of one place, in order. */
export function compileEdits(config: HeadersFilterConfig, side: Side, context: CompileContext): Edit[] {
  const {
    remove = [],
    set = [],
    add = [],
  }: HeaderEdits = side === 'request' || side === 'response' ? (config[side] ?? {}) : {};
  return [
    ...remove.map((name) => edit('remove', name)),
    ...set.map(({ name, value }) => edit('set', name, value)),
    ...add.map(({ name, value }) => edit('add', name, value)),
    ...(config[STEPS_OF[side]] ?? []).map((step, index) =>
      stepEdit(step, context, `/${STEPS_OF[side]}/${index}`),
    ),
  ];
}

function stepEdit(step: HeaderStep, context: CompileContext, path: string): Edit {
  if ('removeOnMatch' in step)
    return {
      way: 'removeOnMatch',
      test: compileStringMatch(step.removeOnMatch, context, `${path}/removeOnMatch`),
    };
  if ('remove' in step) return edit('remove', step.remove);
  const [[way, { name, value }]] = Object.entries(step) as [[Exclude<Way, 'remove'>, HeaderValue]];
  return edit(way, name, value);
}

/** The field that a step names, in lower case; `undefined`: it names none. */
export function nameOf(step: HeaderStep): string | undefined {
  if ('removeOnMatch' in step) return undefined;
  if ('remove' in step) return step.remove.toLowerCase();
  const [field] = Object.values(step) as [HeaderValue];
  return field.name.toLowerCase();
}

function edit(way: Way, name: string, value = ''): Edit {
  return { way, name: name.toLowerCase(), value };
}
