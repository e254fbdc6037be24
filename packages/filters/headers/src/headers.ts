import {
  CONTINUE,
  defineHttpFilter,
  TulleError,
  type ConfigIssue,
  type HttpFilter,
  type MutableHeaders,
} from '@tulle/filter';
import {
  HEADERS_FILTER,
  headersFilterSchema,
  type HeaderEdits,
  type HeadersFilterConfig,
  type HeaderStep,
  type HeaderValue,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';

/** Fields of framing and routing, which belong to the engine; an edit would fail in every request. */
const ENGINE_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is done with a field. */
type Way = 'remove' | 'set' | 'add' | 'setIfPresent' | 'addIfAbsent';

/** One edit; the name in lower case. */
interface Edit {
  readonly way: Way;
  readonly name: string;
  readonly value: string;
}

/** A chain's configuration with what routes say beside it, outermost first. */
interface Merged extends HeadersFilterConfig {
  readonly levels?: readonly HeadersFilterConfig[];
}

const NO_EDITS: readonly Edit[] = Object.freeze([]);

/**
 * Edits request and response fields: removes, then sets, then adds, then goes through the steps. Responses include those that
 * Tulle gives itself (refusals, timeouts). Repeated fields stay apart.
 */
export const headers: HttpFilter<HeadersFilterConfig, HeadersFilterConfig> = defineHttpFilter<
  HeadersFilterConfig,
  HeadersFilterConfig
>({
  apiVersion: 1,
  id: HEADERS_FILTER,
  summary: 'Removes, sets and adds request and response fields.',
  config: jsonSchema<HeadersFilterConfig>(headersFilterSchema),
  routeConfig: jsonSchema<HeadersFilterConfig>(headersFilterSchema, { defaults: false }),
  mergeRoute(base: Merged, override): Merged {
    checkNames(override);
    return { ...base, levels: [...(base.levels ?? []), override] };
  },
  applies: (config) => [...editsOf(config, 'request'), ...editsOf(config, 'response')].length > 0,
  phase: 'transform',
  effects: 'none',
  create(_host, config) {
    checkNames(config);
    const compiledOf = perConfig((inForce: HeadersFilterConfig) => ({
      request: editsOf(inForce, 'request'),
      response: editsOf(inForce, 'response'),
    }));
    return {
      requestHeaders(stream, inForce) {
        const edits = compiledOf(inForce).request;
        // Without edits, hooks do not even ask for the fields.
        if (edits.length > 0) apply(stream.request.headers, edits);
        return CONTINUE;
      },
      responseHeaders(stream, inForce) {
        const edits = compiledOf(inForce).response;
        if (edits.length > 0) apply(stream.response.headers, edits);
        return CONTINUE;
      },
    };
  },
});

function apply(fields: MutableHeaders, edits: readonly Edit[]): void {
  for (const { way, name, value } of edits) {
    switch (way) {
      case 'remove':
        fields.remove(name);
        break;
      case 'set':
        fields.set(name, value);
        break;
      case 'add':
        fields.append(name, value);
        break;
      case 'setIfPresent':
        if (fields.has(name)) fields.set(name, value);
        break;
      case 'addIfAbsent':
        if (!fields.has(name)) fields.append(name, value);
        break;
    }
  }
}

/** Every edit of a side, in order. */
function editsOf(config: Merged, side: 'request' | 'response'): readonly Edit[] {
  const { levels = [], specificLast } = config;
  const places = [config, ...(specificLast === true ? levels : levels.toReversed())];
  const edits = places.flatMap((place) => ownEdits(place, side));
  return edits.length === 0 ? NO_EDITS : edits;
}

function ownEdits(config: HeadersFilterConfig, side: 'request' | 'response'): Edit[] {
  const { remove = [], set = [], add = [] }: HeaderEdits = config[side] ?? {};
  const steps = (side === 'request' ? config.requestSteps : config.responseSteps) ?? [];
  return [
    ...remove.map((name) => edit('remove', name)),
    ...set.map(({ name, value }) => edit('set', name, value)),
    ...add.map(({ name, value }) => edit('add', name, value)),
    ...steps.map(stepEdit),
  ];
}

function stepEdit(step: HeaderStep): Edit {
  if ('remove' in step) return edit('remove', step.remove);
  const [[way, { name, value }]] = Object.entries(step) as [[Exclude<Way, 'remove'>, HeaderValue]];
  return edit(way, name, value);
}

function edit(way: Way, name: string, value = ''): Edit {
  return { way, name: name.toLowerCase(), value };
}

/** @throws TulleError `TULLE_CONFIG_INVALID` naming each edit of a field that belongs to the engine */
function checkNames(config: HeadersFilterConfig): void {
  const issues: ConfigIssue[] = [];
  for (const side of ['request', 'response'] as const) {
    for (const kind of ['remove', 'set', 'add'] as const) {
      for (const [index, edit] of (config[side]?.[kind] ?? []).entries()) {
        const name = typeof edit === 'string' ? edit : edit.name;
        if (!ENGINE_FIELDS.has(name.toLowerCase())) continue;
        const way =
          name.toLowerCase() === 'host' ? "use the route's rewrite.host" : 'message framing is the engine’s';
        issues.push({
          path: `/${side}/${kind}/${index}${typeof edit === 'string' ? '' : '/name'}`,
          message: `${JSON.stringify(name)} cannot be edited: ${way}`,
        });
      }
    }
  }
  for (const side of ['requestSteps', 'responseSteps'] as const) {
    for (const [index, step] of (config[side] ?? []).entries()) {
      const { name } = stepEdit(step);
      if (!ENGINE_FIELDS.has(name)) continue;
      const way = name === 'host' ? "use the route's rewrite.host" : 'message framing is the engine’s';
      issues.push({
        path: `/${side}/${index}`,
        message: `${JSON.stringify(name)} cannot be edited: ${way}`,
      });
    }
  }
  if (issues.length === 0) return;
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `header edits: ${issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`,
    { issues },
  );
}
