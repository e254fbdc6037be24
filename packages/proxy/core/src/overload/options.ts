import { TulleError } from '@tulle/filter';

/**
 * What may run short, each as a share of its limit:
 * - `heap`: bytes of the JavaScript heap that were reachable after its last full collection; garbage is no pressure.
 * - `memory`: resident memory of the process.
 * - `event-loop`: how late the loop comes to its work, the median since the last sample, or how long a request waits already for
 *   an iteration that has time for it, whichever is more; counted while the process has at
 *   least half of a processor, since who is kept from it by others is late whatever it refuses.
 * - `downstream-connections`, `active-requests`: what callers have open.
 */
export type OverloadResource =
  | 'heap'
  | 'memory'
  | 'event-loop'
  | 'downstream-connections'
  | 'active-requests';

/** Every {@link OverloadResource}, in the order in which decision notes number them. */
export const OVERLOAD_RESOURCES: readonly OverloadResource[] = Object.freeze([
  'heap',
  'memory',
  'event-loop',
  'downstream-connections',
  'active-requests',
]);

/**
 * What is done about it (the words of Envoy's OverloadManager where it has them):
 * - `budget-requests`: an iteration of the event loop begins requests for at most `loopBudgetMs`; those that come later
 *   in it are refused. So the loop stays short whatever is offered, and serves as much as fits.
 * - `stop-accepting-requests`: a share of new requests is refused with 503 (gRPC: UNAVAILABLE) and `retry-after`.
 * - `stop-accepting-connections`: a share of new connections is closed as it is accepted.
 * - `disable-keepalive`: a share of responses ends its connection (HTTP/1: `Connection: close`; HTTP/2: GOAWAY).
 * - `close-idle-connections`: connections at rest are closed, those first that came first.
 */
export type OverloadAction =
  | 'budget-requests'
  | 'stop-accepting-requests'
  | 'stop-accepting-connections'
  | 'disable-keepalive'
  | 'close-idle-connections';

/** Every {@link OverloadAction}. */
export const OVERLOAD_ACTIONS: readonly OverloadAction[] = Object.freeze([
  'budget-requests',
  'stop-accepting-requests',
  'stop-accepting-connections',
  'disable-keepalive',
  'close-idle-connections',
]);

/**
 * When an action is taken; pressures are shares of the limit, 1 is all of it.
 * - `threshold`: wholly from there on, until the pressure is 0.05 below it (Envoy `ThresholdTrigger`).
 * - `scaling`: in part from `from` on, wholly from `saturated` on (Envoy `ScaledTrigger`).
 */
export type OverloadTrigger = { readonly resource: OverloadResource } & (
  | { readonly threshold: number }
  | { readonly scaling: { readonly from: number; readonly saturated: number } }
);

/** What the pressures are shares of; 0 switches a resource off. */
export interface OverloadLimits {
  /** Default: V8's own limit (`--max-old-space-size`). */
  readonly heapBytes?: number;
  /** Default: the memory limit of the cgroup; without one, off. */
  readonly memoryBytes?: number;
  /**
   * How late the event loop may come to its work. Default 80: a loop that is busy with a thousand callers at a time stays
   * well below; past it a request waits longer for its turn than most take.
   */
  readonly loopDelayMs?: number;
  /** Default: half of the files that the process may open, since each connection may need another to an endpoint. */
  readonly downstreamConnections?: number;
  /** Default 100,000: some 5 KiB each are half a gigabyte. */
  readonly activeRequests?: number;
}

/** How a proxy sheds load; every part has a default that suits most. */
export interface OverloadOptions {
  readonly limits?: OverloadLimits;
  /** Triggers by action; an action that is named has only those given here, `[]` switches it off. Default: {@link DEFAULT_OVERLOAD_ACTIONS}. */
  readonly actions?: Partial<Readonly<Record<OverloadAction, readonly OverloadTrigger[]>>>;
  /** How often the pressures are read. Default 250: slow against a request, fast against a memory that fills. */
  readonly intervalMs?: number;
  /**
   * For how long an iteration of the event loop begins requests. Those that come later in it begin in the next ones, in order;
   * while `budget-requests` is taken they are refused. Default 10: whoever else waits for the loop, an admin page too, waits
   * for a few such iterations. Metrics `tulle_overload_rq_put_off_total`, `tulle_overload_rq_refused_total`.
   */
  readonly loopBudgetMs?: number;
  /** Seconds that `retry-after` tells. Default 1. */
  readonly retryAfterSeconds?: number;
  /**
   * Field by which a request says `low`, `default` or `high` for its route's priority. It begins with `x-tulle-`, so it holds
   * only from peers whose claims are believed. Default `x-tulle-priority`.
   */
  readonly priorityHeader?: string;
  /** Paths of health checks, exact: never refused, on any route. Default none; a route says `priority: 'critical'` for the same. */
  readonly healthCheckPaths?: readonly string[];
  /** SPIFFE ids whose requests are never refused, e.g. the control plane's. Default none. */
  readonly protectedIdentities?: readonly string[];
}

/**
 * A loop that was at work less than this part of the time is not late, and asking it would wake a process that rests more
 * often than all else. At work is what has the processor: one that others keep waiting for it is late as well, but refusing
 * requests would mend nothing there.
 */
export const BUSY_SHARE = 0.5;

/** Triggers by default: memory is defended in steps, from the gentlest; the loop by its budget. */
export const DEFAULT_OVERLOAD_ACTIONS: Readonly<Record<OverloadAction, readonly OverloadTrigger[]>> =
  Object.freeze({
    'budget-requests': [{ resource: 'event-loop', threshold: 1 }],
    'disable-keepalive': [
      { resource: 'heap', scaling: { from: 0.85, saturated: 0.95 } },
      { resource: 'memory', scaling: { from: 0.88, saturated: 0.96 } },
      { resource: 'downstream-connections', scaling: { from: 0.85, saturated: 0.95 } },
    ],
    'close-idle-connections': [
      { resource: 'heap', threshold: 0.88 },
      { resource: 'memory', threshold: 0.9 },
      { resource: 'downstream-connections', threshold: 0.9 },
    ],
    'stop-accepting-requests': [
      { resource: 'heap', scaling: { from: 0.9, saturated: 0.97 } },
      { resource: 'memory', scaling: { from: 0.92, saturated: 0.98 } },
      { resource: 'active-requests', threshold: 1 },
    ],
    'stop-accepting-connections': [
      { resource: 'heap', threshold: 0.95 },
      { resource: 'memory', threshold: 0.97 },
      { resource: 'downstream-connections', threshold: 1 },
    ],
  });

/** {@link OverloadOptions} with their defaults; limits stay open where the process tells them. */
export interface OverloadSettings {
  readonly limits: OverloadLimits;
  readonly actions: Readonly<Record<OverloadAction, readonly OverloadTrigger[]>>;
  readonly intervalMs: number;
  readonly loopBudgetMs: number;
  readonly retryAfter: string;
  readonly priorityHeader: string;
  readonly healthCheckPaths: ReadonlySet<string>;
  readonly protectedIdentities: ReadonlySet<string>;
}

/** Fills in defaults. @throws TulleError `TULLE_CONFIG_INVALID` that lists everything that cannot be */
export function overloadSettings(options: OverloadOptions = {}): OverloadSettings {
  const issues = findIssues(options);
  if (issues.length > 0)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `createProxy: overload${issues.map(({ path, message }) => `${path} ${message}`).join('; overload')}`,
      { issues: issues.map(({ path, message }) => ({ path: `/overload${path}`, message })) },
    );
  return Object.freeze({
    limits: options.limits ?? {},
    actions: { ...DEFAULT_OVERLOAD_ACTIONS, ...options.actions },
    intervalMs: options.intervalMs ?? 250,
    loopBudgetMs: options.loopBudgetMs ?? 10,
    retryAfter: String(options.retryAfterSeconds ?? 1),
    priorityHeader: options.priorityHeader ?? 'x-tulle-priority',
    healthCheckPaths: new Set(options.healthCheckPaths),
    protectedIdentities: new Set(options.protectedIdentities),
  });
}

interface Issue {
  readonly path: string;
  readonly message: string;
}

function findIssues(options: OverloadOptions): Issue[] {
  const issues: Issue[] = [];
  const check = (path: string, value: unknown, holds: boolean, wanted: string): void => {
    if (value !== undefined && !holds)
      issues.push({ path, message: `must be ${wanted}, not ${JSON.stringify(value)}` });
  };
  const isNumber = (value: unknown, least: number): value is number =>
    typeof value === 'number' && Number.isFinite(value) && value >= least;
  const { limits = {}, actions = {}, intervalMs, loopBudgetMs, retryAfterSeconds, priorityHeader } = options;
  for (const [name, value] of Object.entries(limits))
    check(`/limits/${name}`, value, isNumber(value, 0), 'a number from 0 on');
  check('/intervalMs', intervalMs, isNumber(intervalMs, 10), 'a number of milliseconds from 10 on');
  check('/loopBudgetMs', loopBudgetMs, isNumber(loopBudgetMs, 1), 'a number of milliseconds from 1 on');
  check(
    '/retryAfterSeconds',
    retryAfterSeconds,
    Number.isInteger(retryAfterSeconds) && (retryAfterSeconds as number) >= 0,
    'a whole number from 0 on',
  );
  check(
    '/priorityHeader',
    priorityHeader,
    /^x-tulle-[a-z0-9-]+$/.test(priorityHeader ?? ''),
    'a field name in lower case that begins with x-tulle-',
  );
  for (const [action, triggers] of Object.entries(actions)) {
    const path = `/actions/${action}`;
    if (!(OVERLOAD_ACTIONS as readonly string[]).includes(action)) {
      issues.push({ path, message: `is no action; there are ${OVERLOAD_ACTIONS.join(', ')}` });
      continue;
    }
    for (const [index, trigger] of triggers.entries()) checkTrigger(`${path}/${index}`, trigger);
  }
  return issues;

  function checkTrigger(path: string, trigger: OverloadTrigger): void {
    check(
      `${path}/resource`,
      trigger.resource,
      OVERLOAD_RESOURCES.includes(trigger.resource),
      `one of ${OVERLOAD_RESOURCES.join(', ')}`,
    );
    if ('threshold' in trigger)
      check(`${path}/threshold`, trigger.threshold, isNumber(trigger.threshold, 0.001), 'a share above 0');
    else {
      const { from, saturated } = trigger.scaling;
      check(`${path}/scaling/from`, from, isNumber(from, 0), 'a share from 0 on');
      check(
        `${path}/scaling/saturated`,
        saturated,
        isNumber(saturated, 0) && saturated > from,
        'a share above from',
      );
    }
  }
}
