/** One apply, and how far it got. */
export interface ChangeRecord {
  readonly id: string;
  readonly cause: string;
  readonly atMs: number;
  /** Resources put or removed, as `Kind/namespace/name`. */
  readonly resources: readonly string[];
  /** Proxies whose configuration it changed; absent ones were not concerned. */
  readonly proxies: Readonly<Record<string, ProxyProgress>>;
}

/** How far a change got at one proxy. */
export interface ProxyProgress {
  readonly state: 'pending' | 'acked' | 'nacked';
  readonly propagationMs?: number;
  readonly error?: string;
}

interface Entry {
  readonly id: string;
  readonly sequence: number;
  readonly cause: string;
  readonly atMs: number;
  readonly resources: readonly string[];
  readonly proxies: Map<string, ProxyProgress>;
  /** Proxies that have not answered. */
  pending: number;
  /** Those of them that are connected: counted as they come and go, since somebody may wait while thousands answer. */
  awaited: number;
  /** Confirmed by all that answered, and none left meanwhile. */
  whole: boolean;
}

/** What becomes of changes; for metrics. */
export interface ChangeEvents {
  /** One proxy, connected all the while, confirmed a change. */
  readonly converged: (tookMs: number) => void;
  /** All that a change concerns confirmed it, and none left meanwhile. */
  readonly propagated: (tookMs: number) => void;
  /** A change was forgotten before all had answered. */
  readonly forgotten: () => void;
}

/** Remembers the latest changes; the oldest go first past `limit`. */
export class ChangeLog {
  readonly #entries = new Map<string, Entry>();
  /** Changes that a proxy has not confirmed or refused yet, oldest first. */
  readonly #pending = new Map<string, Set<Entry>>();
  /** Proxies of {@link #pending} that are not connected. */
  readonly #away = new Set<string>();
  readonly #limit: number;
  readonly #prefix: string;
  readonly #events: ChangeEvents;
  #sequence = 0;

  constructor(limit: number, bootMs: number, events: ChangeEvents) {
    this.#limit = limit;
    this.#prefix = bootMs.toString(36);
    this.#events = events;
  }

  /** Changes that some proxy has not answered. */
  get pendingCount(): number {
    let count = 0;
    for (const { pending } of this.#entries.values()) if (pending > 0) count += 1;
    return count;
  }

  add(cause: string, atMs: number, resources: readonly string[]): string {
    this.#sequence += 1;
    const id = `${this.#prefix}-${this.#sequence}`;
    this.#entries.set(id, {
      id,
      sequence: this.#sequence,
      cause,
      atMs,
      resources,
      proxies: new Map(),
      pending: 0,
      awaited: 0,
      whole: true,
    });
    if (this.#entries.size > this.#limit) this.#forgetOldest();
    return id;
  }

  #forgetOldest(): void {
    for (const entry of this.#entries.values()) {
      if (entry.pending > 0) this.#events.forgotten();
      entry.whole = false;
      for (const proxy of entry.proxies.keys()) this.#done(proxy, entry);
      this.#entries.delete(entry.id);
      return;
    }
  }

  #done(proxy: string, entry: Entry): void {
    const pending = this.#pending.get(proxy);
    if (pending?.delete(entry) === true) {
      entry.pending -= 1;
      if (!this.#away.has(proxy)) entry.awaited -= 1;
    }
    if (pending?.size !== 0) return;
    this.#pending.delete(proxy);
    this.#away.delete(proxy);
  }

  /** Order of two changes, also of such that are forgotten; 0 for one that is not of this log. */
  sequence(id: string): number {
    return id.startsWith(`${this.#prefix}-`) ? Number(id.slice(this.#prefix.length + 1)) : 0;
  }

  /** A change concerns a proxy that is connected. */
  concerns(id: string, proxy: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.proxies.set(proxy, { state: 'pending' });
    const pending = this.#pending.get(proxy) ?? new Set<Entry>();
    this.#pending.set(proxy, pending);
    if (pending.has(entry)) return;
    pending.add(entry);
    entry.pending += 1;
    entry.awaited += 1;
  }

  /** A proxy is gone: how long its changes take says nothing of the control plane any more. */
  left(proxy: string): void {
    const pending = this.#pending.get(proxy);
    if (pending === undefined || this.#away.has(proxy)) return;
    this.#away.add(proxy);
    for (const entry of pending) {
      entry.whole = false;
      entry.awaited -= 1;
    }
  }

  /** A proxy is there again: what it had not answered is awaited anew. */
  back(proxy: string): void {
    if (!this.#away.delete(proxy)) return;
    for (const entry of this.#pending.get(proxy) ?? []) entry.awaited += 1;
  }

  /** Whether all connected proxies that a change concerns have confirmed or refused it; true for one that is forgotten. */
  answered(id: string): boolean {
    return (this.#entries.get(id)?.awaited ?? 0) === 0;
  }

  /** A proxy has everything up to `sequence`. @returns what each of its changes took, in milliseconds, oldest first */
  settled(proxy: string, sequence: number, atMs: number): readonly number[] {
    const took: number[] = [];
    for (const entry of [...(this.#pending.get(proxy) ?? [])]) {
      if (entry.sequence > sequence) continue;
      const propagationMs = Math.max(0, atMs - entry.atMs);
      entry.proxies.set(proxy, { state: 'acked', propagationMs });
      this.#done(proxy, entry);
      took.push(propagationMs);
      if (!entry.whole) continue;
      this.#events.converged(propagationMs);
      if (entry.pending === 0) this.#events.propagated(propagationMs);
    }
    return took;
  }

  /** A proxy refused a part of what it had not confirmed up to `sequence`; which change that was of cannot be told. */
  refused(proxy: string, sequence: number, error: string): void {
    for (const entry of [...(this.#pending.get(proxy) ?? [])]) {
      if (entry.sequence > sequence) continue;
      entry.proxies.set(proxy, { state: 'nacked', error });
      entry.whole = false;
      this.#done(proxy, entry);
    }
  }

  get(id: string): ChangeRecord | undefined {
    const entry = this.#entries.get(id);
    return (
      entry && {
        id,
        cause: entry.cause,
        atMs: entry.atMs,
        resources: entry.resources,
        proxies: Object.fromEntries(entry.proxies),
      }
    );
  }
}
