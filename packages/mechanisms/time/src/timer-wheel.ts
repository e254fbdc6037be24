import type { Clock } from './clock.ts';

/**
 * A timer that is made once and armed as often as wanted without allocating: keep it on the pooled object that it
 * belongs to.
 */
export interface WheelTimer {
  /** Whether it is waiting to fire. */
  readonly armed: boolean;
  /**
   * Fires once, at the first tick at or after `delayMs` from now, never early. Armed already: moved.
   * @param nowMs the clock's now, when the caller has it at hand
   */
  arm(delayMs: number, nowMs?: number): void;
  /** Harmless when it is not armed. */
  cancel(): void;
}

/** See {@link createTimerWheel}. */
export interface TimerWheel {
  /** Number of armed timers. */
  readonly size: number;
  /** Makes a timer that calls `fn(owner)`. One module-level function for all owners keeps it free of closures. */
  timer<Owner>(fn: (owner: Owner) => void, owner: Owner): WheelTimer;
  /** Forgets every timer and frees the clock's. The wheel may be used again. */
  close(): void;
}

/** What a wheel is made of. */
export interface TimerWheelOptions {
  readonly clock: Clock;
  /**
   * How coarse timers are. Default 10 ms: a request's timeouts are tens of milliseconds and more, and all that fall
   * into one tick share one wake-up of the loop.
   */
  readonly tickMs?: number;
  /**
   * Gets what a timer's function throws. Default: the rest of the tick is done first, then the first error is thrown
   * to the clock's timer.
   */
  readonly onError?: (error: unknown) => void;
}

/** Slots a level: a bit each in one 32-bit integer, so that the next occupied one is found without a walk. */
const SLOTS = 32;
/** 32^6 ticks of 10 ms are 124 days; a later timer waits in the last level and is put further down from there. */
const LEVELS = 6;
/** A wake-up that nobody waits for any more is taken back when it is further away than this; else it just fires. */
const LAZY_WAKE_MS = 1_000;

/** Spans of one slot in ticks, by level. */
const SPAN: readonly number[] = Array.from({ length: LEVELS }, (_, level) => SLOTS ** level);
const HORIZON = SLOTS ** LEVELS;

/** A place in a circular list: a timer, or the head of a slot. */
class Link {
  next: Link = this;
  previous: Link = this;
}

/** Of a timer's slot: it is not armed. */
const AT_REST = -2;
/** Of a timer's slot: it is due, or on its way to another slot. */
const IN_NONE = -1;

/** What timers that do the same have in common: of those there may be one a stream. */
interface Kind<Owner> {
  readonly wheel: Wheel;
  readonly fn: (owner: Owner) => void;
}

class Timer<Owner> extends Link implements WheelTimer {
  readonly #kind: Kind<Owner>;
  readonly #owner: Owner;
  /** Tick at which it fires. */
  expiry = 0;
  /** Index of its slot. */
  slot: number = AT_REST;

  constructor(kind: Kind<Owner>, owner: Owner) {
    super();
    this.#kind = kind;
    this.#owner = owner;
  }

  get armed(): boolean {
    return this.slot !== AT_REST;
  }

  arm(delayMs: number, nowMs?: number): void {
    this.#kind.wheel.arm(this, delayMs, nowMs);
  }

  cancel(): void {
    this.#kind.wheel.cancel(this);
  }

  fire(): void {
    this.#kind.fn(this.#owner);
  }
}

/** Type-erased timer as the wheel handles it. */
type AnyTimer = Pick<Timer<never>, 'fire' | 'expiry' | 'slot'> & Link;

class Wheel implements TimerWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #originMs: number;
  readonly #slots: readonly Link[] = Array.from({ length: SLOTS * LEVELS }, () => new Link());
  /** Which slots of each level hold something. */
  readonly #occupied = new Int32Array(LEVELS);
  readonly #due = new Link();
  /** By what they do; what nobody refers to any more goes. */
  readonly #kinds: WeakMap<object, Kind<never>> = new WeakMap<object, Kind<never>>();
  readonly #wake: () => void;
  /** Ticks up to and with this one are done. */
  #current = 0;
  #size = 0;
  #running = false;
  /** Tick for which the clock's timer is set; Infinity when none is. */
  #wakeTick = Infinity;
  #cancelWake: (() => void) | undefined;

  constructor(options: TimerWheelOptions) {
    this.#clock = options.clock;
    this.#tickMs = options.tickMs ?? 10;
    if (!(this.#tickMs > 0)) throw new RangeError(`tickMs must be more than 0, not ${this.#tickMs}`);
    this.#onError = options.onError;
    this.#originMs = this.#clock.nowMs();
    this.#wake = () => this.#run();
  }

  get size(): number {
    return this.#size;
  }

  timer<Owner>(fn: (owner: Owner) => void, owner: Owner): WheelTimer {
    let kind = this.#kinds.get(fn) as Kind<Owner> | undefined;
    if (kind === undefined) {
      kind = { wheel: this, fn };
      this.#kinds.set(fn, kind);
    }
    return new Timer<Owner>(kind, owner);
  }

  arm(timer: AnyTimer, delayMs: number, nowMs: number = this.#clock.nowMs()): void {
    if (!(delayMs >= 0))
      throw new RangeError(`a delay must be a number of milliseconds >= 0, not ${delayMs}`);
    if (timer.slot !== AT_REST) this.#unlink(timer);
    else this.#size += 1;
    const elapsedMs = nowMs - this.#originMs;
    // An empty wheel catches up at once; a busy one is at most one sleep behind, which only chooses a higher level.
    if (this.#size === 1 && !this.#running)
      this.#current = Math.max(this.#current, Math.floor(elapsedMs / this.#tickMs));
    timer.expiry = Math.max(Math.ceil((elapsedMs + delayMs) / this.#tickMs), this.#current + 1);
    const start = this.#place(timer);
    if (start < this.#wakeTick && !this.#running) this.#sleepUntil(start, nowMs);
  }

  cancel(timer: AnyTimer): void {
    if (timer.slot === AT_REST) return;
    this.#unlink(timer);
    this.#size -= 1;
    if (this.#size === 0 && !this.#running && (this.#wakeTick - this.#current) * this.#tickMs > LAZY_WAKE_MS)
      this.#stopSleeping();
  }

  close(): void {
    for (const head of [...this.#slots, this.#due]) {
      while (head.next !== head) {
        const timer = head.next as AnyTimer;
        this.#unlink(timer);
      }
    }
    this.#size = 0;
    this.#stopSleeping();
  }

  /** Puts a timer into its slot. @returns the tick at which that slot must be looked at */
  #place(timer: AnyTimer): number {
    const delta = timer.expiry - this.#current;
    let level = 0;
    while (level < LEVELS - 1 && delta >= (SPAN[level + 1] as number)) level += 1;
    const span = SPAN[level] as number;
    const tick = delta < HORIZON ? timer.expiry : this.#current + HORIZON - 1;
    const index = Math.floor(tick / span);
    timer.slot = level * SLOTS + (index % SLOTS);
    this.#append(this.#slots[timer.slot] as Link, timer);
    this.#occupied[level] = (this.#occupied[level] as number) | (1 << (index % SLOTS));
    return index * span;
  }

  #append(head: Link, link: Link): void {
    const last = head.previous;
    last.next = link;
    link.previous = last;
    link.next = head;
    head.previous = link;
  }

  #unlink(timer: AnyTimer): void {
    timer.previous.next = timer.next;
    timer.next.previous = timer.previous;
    timer.next = timer;
    timer.previous = timer;
    const { slot } = timer;
    timer.slot = AT_REST;
    if (slot < 0) return;
    const head = this.#slots[slot] as Link;
    if (head.next === head) this.#markEmpty(slot);
  }

  #markEmpty(slot: number): void {
    const level = Math.floor(slot / SLOTS);
    this.#occupied[level] = (this.#occupied[level] as number) & ~(1 << (slot % SLOTS));
  }

  /** First tick after the current one at which some slot must be looked at; Infinity when all are empty. */
  #nextTick(): number {
    let next = Infinity;
    for (let level = 0; level < LEVELS; level += 1) {
      const bits = this.#occupied[level] as number;
      if (bits === 0) continue;
      const span = SPAN[level] as number;
      const position = Math.floor(this.#current / span);
      // Turned so that the slot after the current one is bit 0; the current one itself comes last, a full turn on.
      const turn = (position + 1) % SLOTS;
      const turned = turn === 0 ? bits : (bits >>> turn) | (bits << (SLOTS - turn));
      const distance = 32 - Math.clz32(turned & -turned);
      next = Math.min(next, (position + distance) * span);
    }
    return next;
  }

  /** The clock's timer fired: does every tick that is due, then sleeps until the next that matters. */
  #run(): void {
    this.#cancelWake = undefined;
    this.#wakeTick = Infinity;
    this.#running = true;
    let failed = false;
    let failure: unknown;
    let nowMs = this.#clock.nowMs();
    let nowTick = Math.floor((nowMs - this.#originMs) / this.#tickMs);
    let next = this.#nextTick();
    while (next <= nowTick) {
      this.#current = next;
      this.#collect(next);
      while (this.#due.next !== this.#due) {
        const timer = this.#due.next as AnyTimer;
        this.#unlink(timer);
        this.#size -= 1;
        try {
          timer.fire();
        } catch (error) {
          if (this.#onError !== undefined) this.#onError(error);
          else if (!failed) [failed, failure] = [true, error];
        }
      }
      next = this.#nextTick();
    }
    nowMs = this.#clock.nowMs();
    nowTick = Math.floor((nowMs - this.#originMs) / this.#tickMs);
    this.#current = Math.max(this.#current, Math.min(nowTick, next - 1));
    this.#running = false;
    if (next !== Infinity) this.#sleepUntil(next, nowMs);
    if (failed) throw failure;
  }

  /** Moves what is due at `tick` to the due list, and what waits in higher levels' slots that begin there further down. */
  #collect(tick: number): void {
    for (let level = LEVELS - 1; level >= 0; level -= 1) {
      const span = SPAN[level] as number;
      if (tick % span !== 0) continue;
      const slot = level * SLOTS + (Math.floor(tick / span) % SLOTS);
      const head = this.#slots[slot] as Link;
      if (head.next === head) continue;
      // Taken off as a whole first: a timer beyond the horizon may be put back into the same slot.
      const first = head.next;
      const last = head.previous;
      head.next = head;
      head.previous = head;
      this.#markEmpty(slot);
      last.next = first;
      first.previous = last;
      let link = first;
      for (let more = true; more;) {
        const following = link.next;
        more = link !== last;
        const timer = link as AnyTimer;
        timer.slot = IN_NONE;
        if (timer.expiry <= tick) this.#append(this.#due, timer);
        else this.#place(timer);
        link = following;
      }
    }
  }

  #sleepUntil(tick: number, nowMs: number): void {
    this.#cancelWake?.();
    this.#wakeTick = tick;
    this.#cancelWake = this.#clock.setTimer(
      Math.max(this.#originMs + tick * this.#tickMs - nowMs, 0),
      this.#wake,
    );
  }

  #stopSleeping(): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#wakeTick = Infinity;
  }
}

/**
 * A hierarchical timer wheel (Varghese and Lauck, 1987) on one timer of the clock: arming and cancelling cost a few
 * list operations and allocate nothing, sleeping skips empty ticks, and an idle wheel sets no timer. Timers of one
 * tick fire in the order in which they reached its slot.
 */
export function createTimerWheel(options: TimerWheelOptions): TimerWheel {
  return new Wheel(options);
}
