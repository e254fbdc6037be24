import type { Demand, Discover } from '@tulle/model';
import type { Log } from '@tulle/filter';
import type { Meter } from '@tulle/telemetry';
import type { StreamRef } from './stream/stream-ref.ts';

/** A request that waits; another use of the stream object is another request. */
export interface WaitingRequest {
  readonly stream: StreamRef;
  readonly generation: number;
}

/** What a desk is made of. */
export interface DemandDeskParts {
  readonly discover: Discover;
  readonly meter: Meter;
  readonly log: Log;
  /** It was looked for. Throws nothing. */
  goOn(request: WaitingRequest): void;
}

/** Has things looked for that requests need: each once, however many requests wait for it. */
export class DemandDesk {
  readonly #parts: DemandDeskParts;
  readonly #waiting: Map<string, WaitingRequest[]> = new Map<string, WaitingRequest[]>();
  readonly #asked: Readonly<Record<Demand['kind'], () => void>>;

  constructor(parts: DemandDeskParts) {
    this.#parts = parts;
    const { meter } = parts;
    const counter = (kind: Demand['kind']): (() => void) => {
      const asked = meter.counter('tulle_on_demand_asked_total', {
        help: 'Times that the control plane was asked for what a request needed',
        labels: { kind },
      });
      return () => asked.add();
    };
    this.#asked = { cluster: counter('cluster'), 'virtual-host': counter('virtual-host') };
  }

  /** Requests that wait. */
  get size(): number {
    let size = 0;
    for (const { length } of this.#waiting.values()) size += length;
    return size;
  }

  ask(demand: Demand, request: WaitingRequest): void {
    const key = demand.kind === 'cluster' ? `c ${demand.name}` : `h ${demand.routes}/${demand.host}`;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.push(request);
      return;
    }
    this.#waiting.set(key, [request]);
    this.#asked[demand.kind]();
    const { discover, log } = this.#parts;
    const end = (): void => this.#end(key);
    discover(demand).then(end, (error: unknown) => {
      log.error('looking for what a request needs failed', { ...demand, error: String(error) });
      end();
    });
  }

  #end(key: string): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const request of waiting) this.#parts.goOn(request);
  }
}
