import type {
  AttemptVerdict,
  ConfigSchema,
  HookResult,
  HttpFilterDefinition,
  HttpHooks,
  HttpStream,
} from '@tulle/filter';
import type { Counter } from '@tulle/telemetry';

/**
 * What the compiler makes of a chain: fixed slots (decision D6), and for each route one table of the hooks that are in
 * force there, a list a phase, empty phases `null`. Everything here is built at load and never changed.
 */

/** A filter as the engine handles it: definition and configuration type erased. */
export type AnyHooks = HttpHooks<unknown, unknown>;
export type AnyDefinition = HttpFilterDefinition<unknown, unknown, unknown> & {
  readonly config: ConfigSchema<unknown>;
};

/** One filter of one configuration generation, in its slot. */
export interface FilterInstance {
  /** Index in the chain: which comes first. */
  readonly slot: number;
  readonly name: string;
  readonly definition: AnyDefinition;
  readonly hooks: AnyHooks;
  readonly baseConfig: unknown;
  readonly mandatory: boolean;
  readonly failOpen: boolean;
  /** Name by which routes override it. */
  readonly overriddenBy: string;
  /** Off where no route puts it in force. */
  readonly disabled: boolean;
  readonly beforeRoute: boolean;
  readonly attemptScope: boolean;
  /** Per-stream states at rest; `undefined` for a filter without state. */
  readonly states: unknown[] | undefined;
  readonly errors: Counter;
}

/** One hook of a head, trailer or attempt phase. */
export interface HeadStep {
  readonly filter: FilterInstance;
  readonly config: unknown;
  run(stream: HttpStream, config: unknown, state: unknown): HookResult;
}

/** What a data hook declared. */
export const OBSERVE = 0;
export const TRANSFORM = 1;
export const BUFFER = 2;

/** One hook of a body phase. */
export interface DataStep {
  readonly filter: FilterInstance;
  readonly config: unknown;
  readonly mode: typeof OBSERVE | typeof TRANSFORM | typeof BUFFER;
  /** With TRANSFORM: only the content coding changes. */
  readonly recodes: boolean;
  /** With BUFFER: most bytes collected. */
  readonly maxBytes: number;
  /** With BUFFER: a larger body is not refused; the hook gets its beginning, and the rest passes. */
  readonly partial: boolean;
  run(stream: HttpStream, config: unknown, state: unknown, bytes: Uint8Array, end: boolean): HookResult;
}

/** One `attemptEnd` hook. */
export interface AttemptStep {
  readonly filter: FilterInstance;
  readonly config: unknown;
  run(stream: HttpStream, config: unknown, state: unknown): AttemptVerdict;
}

/** One `complete` hook. */
export interface CompleteStep {
  readonly filter: FilterInstance;
  readonly config: unknown;
  run(stream: HttpStream, config: unknown, state: unknown): void;
}

/** The hooks in force on one route (or, for {@link HttpChain.unrouted}, on no route). */
export interface PhaseTable {
  /** Chain order; routed filters of scope request. */
  readonly requestHeaders: readonly HeadStep[] | null;
  readonly requestData: readonly DataStep[] | null;
  readonly requestTrailers: readonly HeadStep[] | null;
  /** Reverse order. */
  readonly responseHeaders: readonly HeadStep[] | null;
  readonly responseData: readonly DataStep[] | null;
  readonly responseTrailers: readonly HeadStep[] | null;
  /** Filters of scope attempt. */
  readonly attemptHeaders: readonly HeadStep[] | null;
  readonly attemptEnd: readonly AttemptStep[] | null;
  readonly complete: readonly CompleteStep[] | null;
  /** Some request data hook collects the whole body: the upstream is asked only when it is there. */
  readonly requestBuffered: boolean;
  readonly requestTransformed: boolean;
  /** Some attempt filter repeats gRPC calls by the status that refused them. */
  readonly retriesGrpc: boolean;
  /** Filters that take part, in chain order. */
  readonly filters: readonly FilterInstance[];
}

/** A table without hooks. */
export const EMPTY_TABLE: PhaseTable = Object.freeze({
  requestHeaders: null,
  requestData: null,
  requestTrailers: null,
  responseHeaders: null,
  responseData: null,
  responseTrailers: null,
  attemptHeaders: null,
  attemptEnd: null,
  complete: null,
  requestBuffered: false,
  requestTransformed: false,
  retriesGrpc: false,
  filters: [],
});

/** A filter with the configuration in force. */
export interface InForce {
  readonly filter: FilterInstance;
  readonly config: unknown;
}

/** Builds a table from the filters in force, which are given in chain order. */
export function buildTable(inForce: readonly InForce[]): PhaseTable {
  const requestScope = inForce.filter((entry) => !entry.filter.attemptScope);
  const reversed = requestScope.slice().reverse();
  const attemptScope = inForce.filter((entry) => entry.filter.attemptScope);
  const requestData = dataSteps(requestScope, 'requestData');
  const responseData = dataSteps(reversed, 'responseData');
  const has = (steps: readonly DataStep[] | null, mode: number): boolean =>
    steps?.some((step) => step.mode === mode) ?? false;
  return Object.freeze({
    // Before-route filters have their own list (HttpChain.beforeRoute): they run before there is a table.
    requestHeaders: headSteps(
      requestScope.filter((entry) => !entry.filter.beforeRoute),
      'requestHeaders',
    ),
    requestData,
    requestTrailers: headSteps(requestScope, 'requestTrailers'),
    responseHeaders: headSteps(reversed, 'responseHeaders'),
    responseData,
    responseTrailers: headSteps(reversed, 'responseTrailers'),
    attemptHeaders: headSteps(attemptScope, 'requestHeaders'),
    attemptEnd: bound<AttemptStep>(attemptScope, 'attemptEnd'),
    complete: bound<CompleteStep>(inForce, 'complete'),
    requestBuffered: has(requestData, BUFFER),
    requestTransformed: has(requestData, TRANSFORM),
    retriesGrpc: attemptScope.some(({ filter, config }) => filter.definition.retriesGrpc?.(config) === true),
    filters: Object.freeze(inForce.map((entry) => entry.filter)),
  });
}

/** The same table with another configuration of one attempt filter, which says what becomes of attempts. */
export function withAttemptEnd(table: PhaseTable, filter: FilterInstance, config: unknown): PhaseTable {
  const applies = filter.definition.applies?.(config) ?? true;
  const others = (table.attemptEnd ?? []).filter((step) => step.filter !== filter);
  const own = applies ? (bound<AttemptStep>([{ filter, config }], 'attemptEnd') ?? []) : [];
  const steps = [...others, ...own].toSorted((a, b) => a.filter.slot - b.filter.slot);
  return Object.freeze({
    ...table,
    attemptEnd: steps.length === 0 ? null : Object.freeze(steps),
    retriesGrpc: steps.some((step) => step.filter.definition.retriesGrpc?.(step.config) === true),
    filters: Object.freeze(
      [...table.filters.filter((one) => one !== filter), ...(applies ? [filter] : [])].toSorted(
        (a, b) => a.slot - b.slot,
      ),
    ),
  });
}

/** The `requestHeaders` hooks of before-route filters. */
export function beforeRouteSteps(inForce: readonly InForce[]): readonly HeadStep[] | null {
  return headSteps(
    inForce.filter((entry) => entry.filter.beforeRoute),
    'requestHeaders',
  );
}

type HeadPhase = 'requestHeaders' | 'requestTrailers' | 'responseHeaders' | 'responseTrailers';

function headSteps(inForce: readonly InForce[], phase: HeadPhase): readonly HeadStep[] | null {
  return bound<HeadStep>(inForce, phase);
}

function bound<Step>(
  inForce: readonly InForce[],
  phase: HeadPhase | 'attemptEnd' | 'complete',
): readonly Step[] | null {
  const steps: Step[] = [];
  for (const { filter, config } of inForce) {
    const hook = filter.hooks[phase];
    if (hook !== undefined) steps.push({ filter, config, run: hook.bind(filter.hooks) } as Step);
  }
  return steps.length === 0 ? null : Object.freeze(steps);
}

function dataSteps(
  inForce: readonly InForce[],
  phase: 'requestData' | 'responseData',
): readonly DataStep[] | null {
  const steps: DataStep[] = [];
  for (const { filter, config } of inForce) {
    const hook = filter.hooks[phase];
    if (hook === undefined) continue;
    const { definition } = filter;
    const needs = definition.bodyFor === undefined ? definition.body : definition.bodyFor(config);
    const need = phase === 'requestData' ? needs?.request : needs?.response;
    if (need === undefined) continue;
    const recodes = need === 'recode';
    const mode = need === 'transform' || recodes ? TRANSFORM : typeof need === 'object' ? BUFFER : OBSERVE;
    steps.push({
      filter,
      config,
      mode,
      recodes,
      maxBytes: typeof need === 'object' ? need.buffer : 0,
      partial: typeof need === 'object' && need.partial === true,
      run: hook.bind(filter.hooks),
    });
  }
  return steps.length === 0 ? null : Object.freeze(steps);
}
