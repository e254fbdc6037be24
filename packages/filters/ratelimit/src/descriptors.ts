import { DYNAMIC_METADATA, type HttpStream } from '@tulle/filter';
import { CompileContext, loadedRegexEngine } from '@tulle/match';
import {
  RATE_LIMIT_UNITS,
  RATE_LIMITS,
  type OwnRateLimitActions,
  type RateLimitUnit,
  type RouteRateLimits,
  type StaticLimit,
} from '@tulle/model';
import { metadataAt, parseFormat, type Render } from '@tulle/record-format';
import { compileAction, compileFormat, type Entry, type Step } from './compile-action.ts';

/** What a request is described by. */
export interface Descriptor {
  readonly entries: readonly Entry[];
  /** The limit that holds in place of the one that a service knows; `undefined`: that one does. */
  readonly limit: StaticLimit | undefined;
  /** How much the request counts; `undefined`: one, unsaid. */
  readonly hits: number | undefined;
  /** Whether that is given back. */
  readonly giveBack: boolean;
  /** Whether callers are told of it; `undefined`: as the filter has it. */
  readonly rateHeaders: boolean | undefined;
}

const LIMIT_UNITS: ReadonlySet<string> = new Set(RATE_LIMIT_UNITS);

/** Whose actions count. */
export type HostLimits = 'override' | 'include' | 'ignore';

/** Which actions are asked for: those of a request that begins, those of one that is over (`atEnd`), or both. */
export type Moment = 'begin' | 'end' | 'any';

/** Gets to know whether there are actions for the end of the request. */
export interface Later {
  atEnd: boolean;
}

const NONE: readonly never[] = Object.freeze([]);

interface CompiledActions {
  /** `undefined`: it is not said, which is 0 of what routes say, and any of what filters say. */
  readonly stage: number | undefined;
  readonly atEnd: boolean;
  readonly steps: readonly Step[];
  /** The limit, or the way to it in the metadata; `undefined`: there is none. */
  readonly limit: StaticLimit | readonly string[] | undefined;
  readonly hits: number | Render | undefined;
  readonly giveBack: boolean;
  readonly rateHeaders: boolean | undefined;
}

const compiled = new WeakMap<readonly OwnRateLimitActions[], readonly CompiledActions[]>();

/**
 * Actions are the same object for every request, and compiled with the first one that needs them.
 * @throws TulleError with all that is wrong in them
 */
function compileOnce(list: readonly OwnRateLimitActions[]): readonly CompiledActions[] {
  let made = compiled.get(list);
  if (made === undefined) {
    const context = new CompileContext(loadedRegexEngine());
    made = list.map((one, index) => compileActions(one, context, `/${index}`));
    context.finish('actions of rate limits');
    compiled.set(list, made);
  }
  return made;
}

/** Compiles what a filter says itself when it is made, so that a request finds it sound. @throws TulleError */
export function checkOwn(list: readonly OwnRateLimitActions[] | undefined): void {
  if (list !== undefined) compileOnce(list);
}

function compileActions(
  { stage, actions, limit, atEnd = false, rateHeaders, hits, giveBack = false }: OwnRateLimitActions,
  context: CompileContext,
  path: string,
): CompiledActions {
  return {
    stage,
    atEnd,
    rateHeaders,
    giveBack,
    limit: limit && ('path' in limit ? [limit.namespace, ...limit.path] : limit),
    hits: typeof hits === 'object' ? compileHits(hits.format, context, `${path}/hits/format`) : hits,
    steps: actions.map((action, at) => compileAction(action, context, `${path}/actions/${at}`)),
  };
}

function compileHits(format: string, context: CompileContext, path: string): Render {
  const parts = parseFormat(format, []);
  if (parts.length !== 1 || parts[0]?.kind === 'literal')
    context.issue(path, `must be one operator, e.g. %REQ(x-cost)%, but is ${JSON.stringify(format)}`);
  return compileFormat(format, context, path);
}

/** The descriptors that a request's route and host give it, of one stage. */
export function descriptorsOf(
  stream: HttpStream,
  stage: number,
  host: HostLimits,
  moment: Moment,
  later?: Later,
): readonly Descriptor[] {
  const limits = stream.route?.metadata?.[RATE_LIMITS] as RouteRateLimits | undefined;
  if (limits === undefined) return NONE;
  const found: Descriptor[] = [];
  collect(stream, limits.route, stage, 0, moment, found, later);
  const hostCounts =
    host === 'include' || limits.includeHost || (host === 'override' && limits.route.length === 0);
  if (hostCounts && host !== 'ignore') collect(stream, limits.host, stage, 0, moment, found, later);
  return found;
}

/** The descriptors that a filter's own actions give a request. */
export function describeBy(
  stream: HttpStream,
  list: readonly OwnRateLimitActions[],
  stage: number,
  moment: Moment,
  later?: Later,
): readonly Descriptor[] {
  const found: Descriptor[] = [];
  collect(stream, list, stage, stage, moment, found, later);
  return found;
}

/** @param unsaid stage of those that say none */
function collect(
  stream: HttpStream,
  list: readonly OwnRateLimitActions[],
  stage: number,
  unsaid: number,
  moment: Moment,
  into: Descriptor[],
  later: Later | undefined,
): void {
  for (const actions of compileOnce(list)) {
    if ((actions.stage ?? unsaid) !== stage) continue;
    if (moment !== 'any' && actions.atEnd !== (moment === 'end')) {
      if (actions.atEnd && later !== undefined) later.atEnd = true;
      continue;
    }
    const entries = describe(stream, actions.steps);
    if (entries.length === 0) continue;
    const { limit, giveBack, rateHeaders } = actions;
    const hits = typeof actions.hits === 'function' ? countOf(stream.describe(actions.hits)) : actions.hits;
    if (hits === INVALID) continue;
    into.push({ entries, limit: limit && limitIn(stream, limit), hits, giveBack, rateHeaders });
  }
}

/** No number of hits. */
const INVALID = -1;
const MAX_HITS = 1_000_000_000;

/** A number as Envoy reads it (Abseil's `SimpleAtod`), its fraction cut off. @returns {@link INVALID} for others */
function countOf(text: string): number {
  const trimmed = text.trim();
  if (!/^[+-]?(?:0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.test(trimmed)) return INVALID;
  const count = Number(trimmed.replace(/^\+/, ''));
  return count >= 0 && count <= MAX_HITS ? Math.floor(count) : INVALID;
}

function limitIn(stream: HttpStream, limit: StaticLimit | readonly string[]): StaticLimit | undefined {
  return 'unit' in limit ? limit : limitOf(metadataAt(stream.get(DYNAMIC_METADATA), limit));
}

/** @returns `undefined` for what is no limit */
function limitOf(said: unknown): StaticLimit | undefined {
  if (typeof said !== 'object' || said === null) return undefined;
  const { requests_per_unit: requestsPerUnit, unit } = said as Readonly<Record<string, unknown>>;
  if (typeof requestsPerUnit !== 'number' || typeof unit !== 'string') return undefined;
  if (!Number.isInteger(requestsPerUnit) || requestsPerUnit < 0 || requestsPerUnit > 0xffff_ffff)
    return undefined;
  return LIMIT_UNITS.has(unit) ? { requestsPerUnit, unit: unit as RateLimitUnit } : undefined;
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
