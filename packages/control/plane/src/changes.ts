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
}

/** Remembers the latest changes; the oldest go first past `limit`. */
export class ChangeLog {
  readonly #entries = new Map<string, Entry>();
  /** Changes that a proxy has not confirmed or refused yet, oldest first. */
  readonly #pending = new Map<string, Set<Entry>>();
  readonly #limit: number;
  readonly #prefix: string;
  #sequence = 0;

  constructor(limit: number, bootMs: number) {
    this.#limit = limit;
    this.#prefix = bootMs.toString(36);
  }

  add(cause: string, atMs: number, resources: readonly string[]): string {
    this.#sequence += 1;
    const id = `${this.#prefix}-${this.#sequence}`;
    this.#entries.set(id, { id, sequence: this.#sequence, cause, atMs, resources, proxies: new Map() });
    if (this.#entries.size > this.#limit) this.#forgetOldest();
    return id;
  }

  #forgetOldest(): void {
    for (const entry of this.#entries.values()) {
      for (const proxy of entry.proxies.keys()) this.#done(proxy, entry);
      this.#entries.delete(entry.id);
      return;
    }
  }

  #done(proxy: string, entry: Entry): void {
    const pending = this.#pending.get(proxy);
    pending?.delete(entry);
    if (pending?.size === 0) this.#pending.delete(proxy);
  }

  /** Order of two changes, also of such that are forgotten; 0 for one that is not of this log. */
  sequence(id: string): number {
    return id.startsWith(`${this.#prefix}-`) ? Number(id.slice(this.#prefix.length + 1)) : 0;
  }

  concerns(id: string, proxy: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.proxies.set(proxy, { state: 'pending' });
    const pending = this.#pending.get(proxy);
    if (pending === undefined) this.#pending.set(proxy, new Set([entry]));
    else pending.add(entry);
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
    }
    return took;
  }

  /** A proxy refused a part of what it had not confirmed up to `sequence`; which change that was of cannot be told. */
  refused(proxy: string, sequence: number, error: string): void {
    for (const entry of [...(this.#pending.get(proxy) ?? [])]) {
      if (entry.sequence > sequence) continue;
      entry.proxies.set(proxy, { state: 'nacked', error });
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
