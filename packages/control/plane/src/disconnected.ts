import type { ProxyStatus } from './mesh-status.ts';

/** What {@link Disconnected} keeps. */
export interface DisconnectedOptions {
  readonly keepMs: number;
  readonly max: number;
  readonly nowMs: () => number;
  /** One was forgotten for want of room. */
  readonly forgotten: () => void;
}

/** How proxies stood when their stream ended; kept for a while, so that whoever looks sees that they are gone. */
export class Disconnected {
  readonly #options: DisconnectedOptions;
  /** The longest gone first. */
  readonly #proxies = new Map<string, ProxyStatus & { readonly lastSeenMs: number }>();

  constructor(options: DisconnectedOptions) {
    this.#options = options;
  }

  add(status: ProxyStatus, ended: 'clean' | 'lost'): void {
    const { max, nowMs, forgotten } = this.#options;
    this.#proxies.delete(status.id);
    this.#proxies.set(status.id, { ...status, connected: false, lastSeenMs: nowMs(), ended });
    if (this.#proxies.size <= max) return;
    this.#proxies.delete(this.#proxies.keys().next().value as string);
    forgotten();
  }

  /** It is back. */
  remove(id: string): void {
    this.#proxies.delete(id);
  }

  list(): ProxyStatus[] {
    const { keepMs, nowMs } = this.#options;
    for (const [id, { lastSeenMs }] of this.#proxies) {
      if (nowMs() - lastSeenMs < keepMs) break;
      this.#proxies.delete(id);
    }
    return [...this.#proxies.values()];
  }
}
