import {
  CONTINUE,
  defineHttpFilter,
  TulleError,
  type ConfigIssue,
  type HttpFilter,
  type HttpHooks,
} from '@tulle/filter';
import { CompileContext, loadedRegexEngine, loadRegexEngine } from '@tulle/match';
import { HEADERS_FILTER, headersFilterSchema, type HeadersFilterConfig } from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import {
  applyEdits,
  compileEdits,
  type Edit,
  ENGINE_FIELDS,
  nameOf,
  type Side,
  SIDES,
  STEPS_OF,
} from './edits.ts';
import { compileQueryStep, editQuery, type QueryEdit } from './query.ts';

/** A chain's configuration with what routes say beside it, outermost first. */
interface Merged extends HeadersFilterConfig {
  readonly levels?: readonly HeadersFilterConfig[];
}

/** What is done where a configuration is in force. */
interface Compiled extends Readonly<Record<Side, readonly Edit[]>> {
  readonly query: readonly QueryEdit[];
}

/**
 * Edits request and response fields: removes, then sets, then adds, then goes through the steps; then parameters of the query. Responses include those that
 * Tulle gives itself (refusals, timeouts). Repeated fields stay apart.
 */
export const headers: HttpFilter<HeadersFilterConfig, HeadersFilterConfig> = defineHttpFilter<
  HeadersFilterConfig,
  HeadersFilterConfig
>({
  apiVersion: 1,
  id: HEADERS_FILTER,
  summary: 'Removes, sets and adds request and response fields, trailers and parameters of the query.',
  config: jsonSchema<HeadersFilterConfig>(headersFilterSchema),
  routeConfig: jsonSchema<HeadersFilterConfig>(headersFilterSchema, { defaults: false }),
  mergeRoute(base: Merged, override): Merged {
    checkNames(override);
    const merged = { ...base, levels: [...(base.levels ?? []), override] };
    // Wrong patterns are refused when the configuration is.
    compile(merged);
    return merged;
  },
  applies: (config) => placesOf(config).some(hasEdits),
  phase: 'transform',
  // The answer that there is no route is edited as others are.
  unrouted: true,
  effects: 'none',
  create(_host, config) {
    checkNames(config);
    return placesOf(config).some(usesRegex) ? loadRegexEngine().then(() => hooksOf(config)) : hooksOf(config);
  },
});

function hooksOf(config: HeadersFilterConfig): HttpHooks<HeadersFilterConfig> {
  const compiledOf = perConfig(compile);
  compiledOf(config);
  return {
    requestHeaders(stream, inForce) {
      const { request: edits, query } = compiledOf(inForce);
      // Without edits, hooks do not even ask for the fields.
      if (edits.length > 0) applyEdits(stream.request.headers, edits);
      if (query.length > 0) stream.request.query = editQuery(stream.request.query, query);
      return CONTINUE;
    },
    requestTrailers(stream, inForce) {
      const edits = compiledOf(inForce).requestTrailers;
      if (edits.length > 0) applyEdits(stream.request.trailers, edits);
      return CONTINUE;
    },
    responseHeaders(stream, inForce) {
      const edits = compiledOf(inForce).response;
      if (edits.length > 0) applyEdits(stream.response.headers, edits);
      return CONTINUE;
    },
    responseTrailers(stream, inForce) {
      const edits = compiledOf(inForce).responseTrailers;
      if (edits.length > 0) applyEdits(stream.response.trailers, edits);
      return CONTINUE;
    },
  };
}

function hasEdits(config: HeadersFilterConfig): boolean {
  const { request, response, querySteps } = config;
  const lists = [request, response].flatMap((edits) => [edits?.remove, edits?.set, edits?.add]);
  return [querySteps, ...lists, ...SIDES.map((side) => config[STEPS_OF[side]])].some(
    (list) => list !== undefined && list.length > 0,
  );
}

function usesRegex(config: HeadersFilterConfig): boolean {
  return SIDES.some((side) =>
    (config[STEPS_OF[side]] ?? []).some(
      (step) => 'removeOnMatch' in step && step.removeOnMatch.kind === 'regex',
    ),
  );
}

/** What has edits, in the order in which they are done. */
function placesOf(config: Merged): readonly HeadersFilterConfig[] {
  const { levels = [], specificLast } = config;
  return [config, ...(specificLast === true ? levels : levels.toReversed())];
}

function compile(config: Merged): Compiled {
  const context = new CompileContext(loadedRegexEngine());
  const places = placesOf(config);
  const of = (side: Side): readonly Edit[] => places.flatMap((place) => compileEdits(place, side, context));
  const compiled = {
    request: of('request'),
    response: of('response'),
    requestTrailers: of('requestTrailers'),
    responseTrailers: of('responseTrailers'),
    query: places.flatMap(({ querySteps = [] }) => querySteps.map(compileQueryStep)),
  };
  context.finish('header edits');
  return compiled;
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
  for (const side of SIDES.map((one) => STEPS_OF[one])) {
    for (const [index, step] of (config[side] ?? []).entries()) {
      const name = nameOf(step);
      if (name === undefined || !ENGINE_FIELDS.has(name)) continue;
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
