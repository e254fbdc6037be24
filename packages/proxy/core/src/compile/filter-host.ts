import type {
  ClusterHealth,
  Exchange,
  ExchangeEvents,
  ExchangeRequest,
  FetchReply,
  FetchRequest,
  FilterHost,
  HostCounter,
  HostGauge,
  Log,
} from '@tulle/filter';
import type { Engine } from '../engine.ts';
import type { FetchOwner } from '../fetch/fetcher.ts';
import type { OwnCall } from '../fetch/own-call.ts';
import { isThenable, messageOf } from '../thenable.ts';

/** Timers that one filter may have pending; past it `after` throws, since a filter that arms more leaks. */
const MAX_TIMERS = 10_000;

/** What a filter gets of the proxy; its timers and calls end with it. */
export class EngineFilterHost implements FilterHost, FetchOwner {
  readonly name: string;
  readonly log: Log;
  readonly #engine: Engine;
  readonly #timers: Set<() => void> = new Set<() => void>();
  readonly calls: Set<OwnCall> = new Set<OwnCall>();
  #closed = false;

  constructor(engine: Engine, name: string) {
    this.#engine = engine;
    this.name = name;
    this.log = childLog(engine.log, name);
  }

  nowMs(): number {
    return this.#engine.clock.nowMs();
  }

  epochMs(): number {
    return this.#engine.clock.epochMs();
  }

  random(): number {
    return this.#engine.random();
  }

  after(delayMs: number, fn: () => void | Promise<void>): () => void {
    if (this.#closed) return () => {};
    if (this.#timers.size >= MAX_TIMERS)
      throw new Error(
        `filter ${this.name} has ${MAX_TIMERS} timers pending; cancel those that are not needed`,
      );
    const { turn } = this.#engine;
    const fire = (): void => {
      this.#timers.delete(cancel);
      turn.begin();
      try {
        const result: unknown = fn();
        // A timer may well start something asynchronous; its failure must not end the process.
        if (result !== undefined && isThenable(result))
          result.then(undefined, (error: unknown) => this.#timerFailed(error));
      } catch (error) {
        this.#timerFailed(error);
      } finally {
        turn.end();
      }
    };
    const timer = this.#engine.wheel.timer(fire, undefined);
    timer.arm(delayMs);
    const cancel = (): void => {
      timer.cancel();
      this.#timers.delete(cancel);
    };
    this.#timers.add(cancel);
    return cancel;
  }

  #timerFailed(error: unknown): void {
    this.log.error(`a timer failed: ${messageOf(error)}`, {
      stack: error instanceof Error ? error.stack : undefined,
    });
  }

  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): HostCounter {
    return this.#engine.meter.counter(`tulle_filter_${name}`, {
      help,
      labels: { ...labels, filter: this.name },
    });
  }

  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): HostGauge {
    return this.#engine.meter.gauge(`tulle_filter_${name}`, {
      help,
      labels: { ...labels, filter: this.name },
    });
  }

  get draining(): boolean {
    return this.#engine.draining;
  }

  get failsHealthChecks(): boolean {
    return this.#engine.failsHealthChecks;
  }

  clusterHealth(name: string): ClusterHealth | undefined {
    return this.#engine.fetcher.health(name);
  }

  fetch(request: FetchRequest): Promise<FetchReply> {
    return this.#engine.fetcher.fetch(request, this);
  }

  exchange(request: ExchangeRequest, events: ExchangeEvents): Exchange {
    return this.#engine.fetcher.exchange(request, events, this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The filter is disposed: its timers and calls are cancelled for it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.fetcher.release(this);
    for (const cancel of [...this.#timers]) cancel();
  }
}

function childLog(log: Log, filter: string): Log {
  const add = (fields: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> => ({
    ...fields,
    filter,
  });
  return {
    debug: (message, fields) => log.debug(message, add(fields)),
    info: (message, fields) => log.info(message, add(fields)),
    warn: (message, fields) => log.warn(message, add(fields)),
    error: (message, fields) => log.error(message, add(fields)),
  };
}
