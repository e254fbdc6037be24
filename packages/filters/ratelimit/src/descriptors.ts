import { DYNAMIC_METADATA, pseudoHeader, type HttpStream } from '@tulle/filter';
import {
  compileCidrs,
  compileHeaderMatch,
  CompileContext,
  compileQueryMatch,
  compileStringMatch,
  firstQueryValue,
  loadedRegexEngine,
  maskAddress,
} from '@tulle/match';
import {
  RATE_LIMITS,
  type RateLimitAction,
  type RateLimitActions,
  type RouteRateLimits,
  type ValueMatch,
} from '@tulle/model';

/** One entry of a descriptor. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** What a request is described by. */
export interface Descriptor {
  readonly entries: readonly Entry[];
  /** The limit that holds in place of the one that a service knows; `undefined`: that one does. */
  readonly limit: Limit | undefined;
}

/** A limit as an earlier filter says it. */
export interface Limit {
  readonly requestsPerUnit: number;
  readonly unit: keyof typeof LIMIT_UNITS;
}

/** Envoy's `type.v3.RateLimitUnit`, by name. */
export const LIMIT_UNITS = {
  UNKNOWN: 0,
  SECOND: 1,
  MINUTE: 2,
  HOUR: 3,
  DAY: 4,
  MONTH: 5,
  YEAR: 6,
} as const;

/** Whose actions count. */
export type HostLimits = 'override' | 'include' | 'ignore';

const NONE: readonly never[] = Object.freeze([]);

/** An action that adds an entry, nothing (`undefined`), or takes the descriptor away (`null`). */
type Step = (stream: HttpStream) => Entry | undefined | null;

interface CompiledActions {
  readonly stage: number;
  readonly steps: readonly Step[];
  /** Way to the limit in the metadata; `undefined`: there is none. */
  readonly limit: readonly string[] | undefined;
}

const compiled = new WeakMap<readonly RateLimitActions[], readonly CompiledActions[]>();

/** Actions of a route are the same object for every request, and compiled with the first one that needs them. */
function compileOnce(list: readonly RateLimitActions[]): readonly CompiledActions[] {
  let made = compiled.get(list);
  if (made === undefined) {
    const context = new CompileContext(loadedRegexEngine());
    made = list.map(({ stage = 0, actions, limit }, index) => ({
      stage,
      limit: limit && [limit.namespace, ...limit.path],
      steps: actions.map((action, at) => compileAction(action, context, `/${index}/actions/${at}`)),
    }));
    context.finish('actions of rate limits');
    compiled.set(list, made);
  }
  return made;
}

/** The descriptors that a request's route and host give it, of one stage. */
export function descriptorsOf(stream: HttpStream, stage: number, host: HostLimits): readonly Descriptor[] {
  const limits = stream.route?.metadata?.[RATE_LIMITS] as RouteRateLimits | undefined;
  if (limits === undefined) return NONE;
  const found: Descriptor[] = [];
  collect(stream, limits.route, stage, found);
  const hostCounts =
    host === 'include' || limits.includeHost || (host === 'override' && limits.route.length === 0);
  if (hostCounts && host !== 'ignore') collect(stream, limits.host, stage, found);
  return found;
}

/** The descriptors that these actions give a request, of one stage. */
export function describeBy(
  stream: HttpStream,
  list: readonly RateLimitActions[],
  stage: number,
): readonly Descriptor[] {
  const found: Descriptor[] = [];
  collect(stream, list, stage, found);
  return found;
}

function collect(
  stream: HttpStream,
  list: readonly RateLimitActions[],
  stage: number,
  into: Descriptor[],
): void {
  for (const actions of compileOnce(list)) {
    if (actions.stage !== stage) continue;
    const entries = describe(stream, actions.steps);
    if (entries.length === 0) continue;
    const { limit } = actions;
    into.push({ entries, limit: limit && limitOf(within(stream.get(DYNAMIC_METADATA), limit)) });
  }
}

/** @returns `undefined` for what is no limit */
function limitOf(said: unknown): Limit | undefined {
  if (typeof said !== 'object' || said === null) return undefined;
  const { requests_per_unit: requestsPerUnit, unit } = said as Readonly<Record<string, unknown>>;
  if (typeof requestsPerUnit !== 'number' || typeof unit !== 'string') return undefined;
  if (!Number.isInteger(requestsPerUnit) || requestsPerUnit < 0 || requestsPerUnit > 0xffff_ffff)
    return undefined;
  return Object.hasOwn(LIMIT_UNITS, unit) ? { requestsPerUnit, unit: unit as Limit['unit'] } : undefined;
}

function describe(stream: HttpStream, steps: readonly Step[]): readonly Entry[] {
  const entries: Entry[] = [];
  for (const step of steps) {
    const entry = step(stream);
    if (entry === null) return NONE;
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Longer values are no descriptor: counters are kept by value, here or at a service. */
const MAX_VALUE_LENGTH = 1_024;

function compileAction(action: RateLimitAction, context: CompileContext, path: string): Step {
  switch (action.kind) {
    case 'source-cluster':
      return ({ request }) =>
        entry('source_cluster', request.headers.get('x-envoy-downstream-service-cluster') ?? '');
    case 'destination-cluster':
      return ({ route }) =>
        route?.cluster === undefined ? null : entry('destination_cluster', route.cluster);
    case 'remote-address':
      return ({ connection }) =>
        connection.remoteAddress === '' ? null : entry('remote_address', connection.remoteAddress);
    case 'masked-remote-address': {
      const { v4Bits = 32, v6Bits = 128 } = action;
      return ({ connection }) => {
        const network = maskAddress(connection.remoteAddress, v4Bits, v6Bits);
        return network === undefined ? null : entry('masked_remote_address', network);
      };
    }
    case 'header': {
      const name = action.name.toLowerCase();
      const absent = action.optional === true ? undefined : null;
      return ({ request }) => {
        const value = pseudoHeader(request, name) ?? request.headers.get(name);
        return value === undefined ? absent : entry(action.key, value);
      };
    }
    case 'query': {
      const absent = action.optional === true ? undefined : null;
      return ({ request: { query } }) => {
        const value = query === undefined ? undefined : firstQueryValue(query, action.name);
        return value === undefined ? absent : entry(action.key, value);
      };
    }
    case 'address-match': {
      const made = { key: action.key ?? 'remote_address_match', value: action.value };
      const networks = compileCidrs(action.cidrs, context, `${path}/cidrs`);
      const expected = action.expect ?? true;
      return ({ connection: { remoteAddress } }) =>
        remoteAddress !== '' && networks.has(remoteAddress) === expected ? made : null;
    }
    case 'generic': {
      const made = { key: action.key ?? 'generic_key', value: action.value };
      return () => made;
    }
    case 'header-match': {
      const made = { key: action.key ?? 'header_match', value: action.value };
      const tests = action.headers.map((one, index) => headerTest(one, context, `${path}/headers/${index}`));
      const expected = action.expect ?? true;
      return ({ request }) => (tests.every((test) => test(request)) === expected ? made : null);
    }
    case 'query-match': {
      const made = { key: action.key ?? 'query_match', value: action.value };
      const tests = action.query.map((one, index) =>
        compileQueryMatch(one, context, `${path}/query/${index}`),
      );
      const expected = action.expect ?? true;
      return ({ request }) => (tests.every((test) => test(request.query)) === expected ? made : null);
    }
    case 'metadata': {
      const way = [action.namespace, ...action.path];
      const absent = action.optional === true ? undefined : null;
      return (stream) => {
        const found = within(stream.get(DYNAMIC_METADATA), way);
        // Texts alone are values of descriptors.
        const value = typeof found === 'string' ? found : (action.fallback ?? '');
        return value === '' ? absent : entry(action.key, value);
      };
    }
  }
}

/** Also of `:path`, `:method` and the like, which routes cannot look at. */
function headerTest(
  condition: ValueMatch,
  context: CompileContext,
  path: string,
): (request: HttpStream['request']) => boolean {
  const name = condition.name.toLowerCase();
  if (!name.startsWith(':')) {
    const test = compileHeaderMatch(condition, context, path);
    return ({ headers }) => test(headers);
  }
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  return (request) => {
    const value = pseudoHeader(request, name);
    return (value !== undefined && test(value)) !== (condition.invert === true);
  };
}

function entry(key: string, value: string): Entry | null {
  return value === '' || value.length > MAX_VALUE_LENGTH ? null : { key, value };
}

function within(metadata: unknown, way: readonly string[]): unknown {
  let value = metadata;
  for (const name of way) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}
