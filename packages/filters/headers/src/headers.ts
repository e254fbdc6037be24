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

/** Edits with names in lower case, by kind. */
interface CompiledEdits {
  readonly remove: readonly string[];
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
}

const NO_EDITS: CompiledEdits = Object.freeze({ remove: [], set: [], add: [] });

/**
 * Edits request and response fields: removes, then sets, then adds. Responses include those that Tulle gives itself
 * (refusals, timeouts). Repeated fields stay apart.
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
  mergeRoute(base, override) {
    const merged = { ...base, ...override };
    checkNames(merged);
    return merged;
  },
  applies: (config) => hasEdits(config.request) || hasEdits(config.response),
  phase: 'transform',
  effects: 'none',
  create(_host, config) {
    checkNames(config);
    const compiledOf = perConfig((inForce: HeadersFilterConfig) => ({
      request: compile(inForce.request),
      response: compile(inForce.response),
    }));
    return {
      requestHeaders(stream, inForce) {
        const edits = compiledOf(inForce).request;
        if (edits !== NO_EDITS) apply(stream.request.headers, edits);
        return CONTINUE;
      },
      responseHeaders(stream, inForce) {
        const edits = compiledOf(inForce).response;
        if (edits !== NO_EDITS) apply(stream.response.headers, edits);
        return CONTINUE;
      },
    };
  },
});

function apply(fields: MutableHeaders, edits: CompiledEdits): void {
  for (const name of edits.remove) fields.remove(name);
  for (const { name, value } of edits.set) fields.set(name, value);
  for (const { name, value } of edits.add) fields.append(name, value);
}

function hasEdits(edits: HeaderEdits | undefined): boolean {
  return (
    edits !== undefined &&
    [edits.remove, edits.set, edits.add].some((list) => list !== undefined && list.length > 0)
  );
}

function compile(edits: HeaderEdits | undefined): CompiledEdits {
  // Without edits, hooks do not even ask for the fields.
  if (edits === undefined || !hasEdits(edits)) return NO_EDITS;
  const lower = ({
    name,
    value,
  }: {
    readonly name: string;
    readonly value: string;
  }): { readonly name: string; readonly value: string } => ({ name: name.toLowerCase(), value });
  return {
    remove: (edits.remove ?? []).map((name) => name.toLowerCase()),
    set: (edits.set ?? []).map(lower),
    add: (edits.add ?? []).map(lower),
  };
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
  if (issues.length === 0) return;
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `header edits: ${issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`,
    { issues },
  );
}
