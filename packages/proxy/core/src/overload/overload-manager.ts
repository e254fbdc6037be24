import type { Log } from '@tulle/filter';
import type { Counter, Meter } from '@tulle/telemetry';
import type { Clock, TimerWheel, WheelTimer } from '@tulle/time';
import type { ResourceMonitor, ResourceUse } from '../ports.ts';
import {
  BUSY_SHARE,
  OVERLOAD_ACTIONS,
  OVERLOAD_RESOURCES,
  type OverloadAction,
  type OverloadResource,
  type OverloadSettings,
} from './options.ts';
import { PRIORITIES, type Priority } from './priority.ts';
import { TriggerState } from './trigger-state.ts';
import type { StreamRef } from '../stream/stream-ref.ts';
import { WaitingLine } from './waiting-line.ts';

/** Connections at rest that one sample closes at most: a wave of reconnecting callers would be overload again. */
const IDLE_CLOSED_PER_SAMPLE = 256;

/** Requests are budgeted until none was refused for so many samples. */
const QUIET_SAMPLES = 4;

/** Requests that the whole proxy may have under way by default. */
const DEFAULT_ACTIVE_REQUESTS = 100_000;

/** Lateness of the event loop by default, in milliseconds. */
const DEFAULT_LOOP_DELAY_MS = 80;

/** What the manager is made of. */
export interface OverloadParts {
  /** `undefined`: load is never shed. */
  readonly settings: OverloadSettings | undefined;
  /** `undefined`: only what the engine counts itself is known, and only where it has a limit of its own. */
  readonly monitor: ResourceMonitor | undefined;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly meter: Meter;
  readonly log: Log;
  readonly random: () => number;
  /** Streams under way. */
  activeRequests(): number;
  /** The turn of a request came that was put off. */
  begin(putOff: PutOff): void;
}

/** A request that was put off, and which of the object's uses it was. */
export interface PutOff {
  readonly stream: StreamRef;
  readonly generation: number;
}

/** What a request has to do with it. */
export type OverloadGate = Pick<
  OverloadManager,
  'admitUntilMs' | 'settings' | 'refused' | 'shedding' | 'refuses' | 'putsOff' | 'cause' | 'pressureOf'
>;

/** A gate that is open whatever happens: for requests that nobody sent. */
export function openGate({ settings, refused }: OverloadGate): OverloadGate {
  return {
    settings,
    refused,
    admitUntilMs: Infinity,
    cause: 'event-loop',
    shedding: false,
    refuses: () => false,
    putsOff: () => false,
    pressureOf: () => 0,
  };
}

/** An action with its triggers. */
interface ActionState {
  readonly action: OverloadAction;
  readonly triggers: readonly TriggerState[];
  scale: number;
}

/**
 * Watches what the process has left and sheds load before it runs out (Envoy's OverloadManager). Pressures are read by a
 * timer, never in a request: a request compares one number, {@link OverloadManager.admitUntilMs}.
 */
export class OverloadManager {
  /** Requests that begin later (`clock.nowMs`) have to be judged, or may have to wait; Infinity: none has, -Infinity: each has. */
  admitUntilMs: number = Infinity;
  /** Connections of callers, of all listeners that count theirs. */
  connections = 0;
  readonly settings: OverloadSettings | undefined;
  readonly refused: Readonly<Record<Priority, Counter>>;
  readonly #parts: OverloadParts;
  readonly #actions: readonly ActionState[];
  readonly #pressures: Record<OverloadResource, number> = {
    heap: 0,
    memory: 0,
    'event-loop': 0,
    'downstream-connections': 0,
    'active-requests': 0,
  };
  readonly #use: ResourceUse = {
    heapBytes: 0,
    heapLimitBytes: 0,
    rssBytes: 0,
    memoryLimitBytes: 0,
    loopDelayMs: 0,
    busyShare: 0,
    openFilesLimit: 0,
  };
  readonly #timer: WheelTimer;
  readonly #stops: (() => void)[] = [];
  readonly #putOff: Counter;
  #line: WaitingLine<PutOff> | undefined = undefined;
  readonly #connectionsRefused: Counter;
  readonly #idleClosed: Counter;
  #closeIdle: (atMost: number) => number = () => 0;
  #running = false;
  #shareOfRequests = 0;
  #shareOfConnections = 0;
  /** Likewise, of what would be refused were there no bound of how many there are. */
  #shareUncounted = 0;
  #shareOfKeepalive = 0;
  #budgeting = false;
  #iterationMs = 0;
  #refusedByBudget = 0;
  #quietSamples = 0;
  #cause: OverloadResource = 'event-loop';

  constructor(parts: OverloadParts) {
    this.#parts = parts;
    this.settings = parts.settings;
    const { meter } = parts;
    const refused = (priority: Priority): Counter =>
      meter.counter('tulle_overload_rq_refused_total', {
        help: 'Requests refused since the proxy sheds load',
        labels: { priority },
      });
    this.refused = {
      low: refused('low'),
      default: refused('default'),
      high: refused('high'),
      critical: refused('critical'),
    };
    this.#putOff = meter.counter('tulle_overload_rq_put_off_total', {
      help: 'Requests that began in a later iteration of the event loop, since the one in which they came had no time for more',
    });
    this.#connectionsRefused = meter.counter('tulle_overload_cx_refused_total', {
      help: 'Connections closed as they were accepted since the proxy sheds load',
    });
    this.#idleClosed = meter.counter('tulle_overload_cx_idle_closed_total', {
      help: 'Connections at rest closed since the proxy sheds load',
    });
    this.#actions = OVERLOAD_ACTIONS.map((action) => ({
      action,
      triggers: (parts.settings?.actions[action] ?? []).map((trigger) => new TriggerState(trigger)),
      scale: 0,
    }));
    this.#timer = parts.wheel.timer(sample, this);
  }

  /** Begins to watch. @param closeIdle closes so many connections at rest at most, and says how many it asked */
  start(closeIdle: (atMost: number) => number): void {
    const { settings, monitor, meter } = this.#parts;
    if (settings === undefined || this.#running) return;
    const { downstreamConnections = 0, activeRequests = 0 } = settings.limits;
    // Without a monitor there is nothing to watch but what was given a limit.
    if (monitor === undefined && downstreamConnections + activeRequests === 0) return;
    this.#running = true;
    this.#closeIdle = closeIdle;
    for (const resource of OVERLOAD_RESOURCES)
      this.#stops.push(
        meter.observed(
          'tulle_overload_pressure_percent',
          { help: 'How much of its limit a resource uses', labels: { resource } },
          () => Math.round(this.#pressures[resource] * 100),
        ),
      );
    for (const state of this.#actions)
      this.#stops.push(
        meter.observed(
          'tulle_overload_scale_percent',
          {
            help: 'How far an action against overload is taken; 0: not at all',
            labels: { action: state.action },
          },
          () => Math.round(state.scale * 100),
        ),
      );
    this.#timer.arm(settings.intervalMs);
    this.#openLine(settings);
  }

  #openLine({ loopBudgetMs }: OverloadSettings): void {
    const { monitor, clock } = this.#parts;
    if (monitor?.afterIteration === undefined) return;
    this.#line = new WaitingLine({
      clock,
      afterIteration: (callback) => monitor.afterIteration?.(callback),
      budgetMs: loopBudgetMs,
      begin: (putOff) => this.#parts.begin(putOff),
      changed: () => this.#setGate(),
    });
    this.#setGate();
  }

  stop(): void {
    this.#timer.cancel();
    this.#line?.close();
    this.#line = undefined;
    this.#setBudgeting(false);
    for (const end of this.#stops.splice(0)) end();
    this.#parts.monitor?.close();
    this.#running = false;
    this.admitUntilMs = Infinity;
  }

  // — what the engine asks —

  /** Whether a request of this priority is refused; asked only past {@link admitUntilMs}. @param nowMs when it began */
  refuses(priority: Priority, nowMs: number): boolean {
    if (priority === 'critical') return false;
    if (this.#budgeting) {
      const budgetMs = this.#parts.settings?.loopBudgetMs ?? 0;
      if (nowMs - this.#iterationMs > budgetMs * PRIORITIES[priority].budget) {
        this.#refusedByBudget++;
        this.#cause = 'event-loop';
        return true;
      }
    }
    const share = PRIORITIES[priority].share(this.#shareOfRequests);
    if (share <= 0 || (share < 1 && this.#parts.random() >= share)) return false;
    this.#cause = this.#worst('stop-accepting-requests');
    return true;
  }

  /** Whether any request is refused now. */
  get shedding(): boolean {
    return this.#budgeting || this.#shareOfRequests > 0;
  }

  /** Whether a request that comes past {@link admitUntilMs}, and is not refused, waits for a later iteration of the loop. */
  putsOff(stream: StreamRef, startMs: number): boolean {
    const line = this.#line;
    // While they are budgeted, those that come too late are refused, and nobody need wait.
    if (line === undefined || this.#budgeting || startMs <= line.untilMs) return false;
    if (!line.putsOff({ stream, generation: stream.generation })) return false;
    this.#putOff.add();
    return true;
  }

  /** Which resource the last refusal was for. */
  get cause(): OverloadResource {
    return this.#cause;
  }

  /** Its pressure at the last sample, as a share of the limit. */
  pressureOf(resource: OverloadResource): number {
    return this.#pressures[resource];
  }

  /** Whether a connection that was just accepted is closed again; counted where it is. @param counted whether how many there are matters */
  refusesConnection(counted: boolean): boolean {
    const share = counted ? this.#shareOfConnections : this.#shareUncounted;
    if (share === 0 || (share < 1 && this.#parts.random() >= share)) return false;
    this.#connectionsRefused.add();
    return true;
  }

  /** Whether the response under way should end its connection. */
  asksToClose(): boolean {
    const share = this.#shareOfKeepalive;
    return share > 0 && (share >= 1 || this.#parts.random() < share);
  }

  // — sampling —

  /** Reads the pressures and takes the actions that they ask for. */
  sample(): void {
    const { settings } = this.#parts;
    if (!this.#running || settings === undefined) return;
    this.#readPressures(settings);
    for (const state of this.#actions) {
      const before = state.scale;
      state.scale = state.triggers.reduce(
        (most, one) => Math.max(most, one.scaleAt(this.#pressures[one.trigger.resource])),
        0,
      );
      if (state.action === 'budget-requests') state.scale = this.#budgetScale(state.scale);
      if ((before === 0) !== (state.scale === 0)) this.#tell(state);
    }
    this.#shareOfRequests = this.#scaleOf('stop-accepting-requests');
    this.#shareOfConnections = this.#scaleOf('stop-accepting-connections');
    this.#shareUncounted = this.#scaleBeside('stop-accepting-connections', 'downstream-connections');
    this.#shareOfKeepalive = this.#scaleOf('disable-keepalive');
    this.#setBudgeting(this.#scaleOf('budget-requests') > 0);
    this.#setGate();
    if (this.#scaleOf('close-idle-connections') > 0)
      this.#idleClosed.add(this.#closeIdle(IDLE_CLOSED_PER_SAMPLE));
    this.#timer.arm(settings.intervalMs);
  }

  #readPressures({ limits }: OverloadSettings): void {
    const use = this.#use;
    this.#parts.monitor?.read(use);
    const pressures = this.#pressures;
    pressures.heap = shareOf(use.heapBytes, limits.heapBytes ?? use.heapLimitBytes);
    pressures.memory = shareOf(use.rssBytes, limits.memoryBytes ?? use.memoryLimitBytes);
    // Who waits for an iteration waits for the loop, though it comes round.
    const waitedMs = use.busyShare >= BUSY_SHARE && this.#line !== undefined ? this.#line.oldestMs : 0;
    pressures['event-loop'] = shareOf(
      Math.max(use.loopDelayMs, waitedMs),
      limits.loopDelayMs ?? DEFAULT_LOOP_DELAY_MS,
    );
    pressures['downstream-connections'] = shareOf(
      this.connections,
      limits.downstreamConnections ?? Math.floor(use.openFilesLimit / 2),
    );
    pressures['active-requests'] = shareOf(
      this.#parts.activeRequests(),
      limits.activeRequests ?? DEFAULT_ACTIVE_REQUESTS,
    );
  }

  /** While requests are budgeted the loop is short, so that it is the refusals that say when it is over. */
  #budgetScale(asked: number): number {
    const refused = this.#refusedByBudget;
    this.#refusedByBudget = 0;
    if (asked > 0 || refused > 0) this.#quietSamples = 0;
    else if (this.#budgeting) this.#quietSamples++;
    return asked > 0 || (this.#budgeting && this.#quietSamples < QUIET_SAMPLES) ? 1 : 0;
  }

  #setBudgeting(on: boolean): void {
    if (on === this.#budgeting) return;
    const { monitor, clock } = this.#parts;
    this.#budgeting = on && monitor !== undefined;
    this.#iterationMs = clock.nowMs();
    monitor?.watchIterations(
      this.#budgeting
        ? () => {
            this.#iterationMs = clock.nowMs();
            this.#setGate();
          }
        : undefined,
    );
  }

  #setGate(): void {
    const budgetMs = this.#parts.settings?.loopBudgetMs ?? 0;
    if (this.#shareOfRequests > 0) this.admitUntilMs = -Infinity;
    else if (this.#budgeting) this.admitUntilMs = this.#iterationMs + budgetMs * PRIORITIES.low.budget;
    else this.admitUntilMs = this.#line === undefined ? Infinity : this.#line.untilMs;
  }

  #scaleOf(action: OverloadAction): number {
    return this.#actions.find((state) => state.action === action)?.scale ?? 0;
  }

  /** How far an action is taken for other resources than one. */
  #scaleBeside(action: OverloadAction, resource: OverloadResource): number {
    const triggers = this.#actions.find((state) => state.action === action)?.triggers ?? [];
    return triggers.reduce(
      (most, one) =>
        one.trigger.resource === resource
          ? most
          : Math.max(most, one.scaleAt(this.#pressures[one.trigger.resource])),
      0,
    );
  }

  /** The resource that asks most for an action. */
  #worst(action: OverloadAction): OverloadResource {
    let worst: OverloadResource = 'active-requests';
    let most = -1;
    for (const one of this.#actions.find((state) => state.action === action)?.triggers ?? []) {
      const { resource } = one.trigger;
      const scale = one.scaleAt(this.#pressures[resource]);
      if (scale <= most) continue;
      most = scale;
      worst = resource;
    }
    return worst;
  }

  #tell({ action, scale }: ActionState): void {
    const { log } = this.#parts;
    if (scale === 0) return log.info(`overload: ${action} is over`, { action });
    const resource = this.#worst(action);
    const percent = Math.round(this.#pressures[resource] * 100);
    log.warn(`overload: ${action}, since ${resource} is at ${percent} % of its limit`, {
      action,
      resource,
      percent,
    });
  }

  /** For the admin interface. */
  describe(): object {
    const { settings } = this.#parts;
    if (settings === undefined) return { enabled: false };
    const { heapBytes, heapLimitBytes, rssBytes, memoryLimitBytes, loopDelayMs, openFilesLimit } = this.#use;
    return {
      enabled: this.#running,
      resources: OVERLOAD_RESOURCES.map((resource) => ({
        resource,
        pressurePercent: Math.round(this.#pressures[resource] * 1000) / 10,
      })),
      actions: this.#actions.map(({ action, scale, triggers }) => ({
        action,
        scalePercent: Math.round(scale * 1000) / 10,
        triggers: triggers.map(({ trigger }) => trigger),
      })),
      use: {
        heapBytes,
        heapLimitBytes,
        rssBytes,
        memoryLimitBytes,
        loopDelayMs: Math.round(loopDelayMs * 100) / 100,
        openFilesLimit,
        downstreamConnections: this.connections,
        activeRequests: this.#parts.activeRequests(),
        putOffRequests: this.#line?.size ?? 0,
      },
      intervalMs: settings.intervalMs,
      loopBudgetMs: settings.loopBudgetMs,
    };
  }
}

function sample(manager: OverloadManager): void {
  manager.sample();
}

/** Without a limit there is no pressure. */
function shareOf(used: number, limit: number): number {
  return limit > 0 ? used / limit : 0;
}
