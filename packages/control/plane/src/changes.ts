/** One apply, and how far it got. */
export interface ChangeRecord {
  readonly id: string;
  readonly cause: string;
  readonly atMs: number;
  /** Resources put or removed, as `Kind/namespace/name`. */
  readonly resources: readonly string[];
  /** Proxies whose configuration it changed; absent ones were not concerned. */
  readonly proxies: Readonly<
    Record<
      string,
      {
        readonly state: 'pending' | 'acked' | 'nacked';
        readonly propagationMs?: number;
        readonly error?: string;
      }
    >
  >;
}

interface Entry {
  readonly id: string;
  readonly sequence: number;
  readonly cause: string;
  readonly atMs: number;
  readonly resources: readonly string[];
  readonly proxies: Map<
    string,
    { state: 'pending' | 'acked' | 'nacked'; propagationMs?: number; error?: string }
  >;
}

/** Remembers the latest changes; the oldest go first past `limit`. */
export class ChangeLog {
  readonly #entries = new Map<string, Entry>();
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
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > this.#limit && oldest.done !== true) this.#entries.delete(oldest.value);
    return id;
  }

  /** Order of two changes; one that was forgotten is older. */
  sequence(id: string): number {
    return this.#entries.get(id)?.sequence ?? 0;
  }

  concerns(id: string, proxy: string): void {
    this.#entries.get(id)?.proxies.set(proxy, { state: 'pending' });
  }

  /** A proxy has everything up to `sequence`. */
  settled(proxy: string, sequence: number, atMs: number): void {
    for (const entry of this.#entries.values()) {
      const mine = entry.proxies.get(proxy);
      if (mine?.state === 'pending' && entry.sequence <= sequence) {
        mine.state = 'acked';
        mine.propagationMs = Math.max(0, atMs - entry.atMs);
      }
    }
  }

  refused(id: string, proxy: string, error: string): void {
    const mine = this.#entries.get(id)?.proxies.get(proxy);
    if (mine !== undefined) Object.assign(mine, { state: 'nacked', error });
  }

  get(id: string): ChangeRecord | undefined {
    const entry = this.#entries.get(id);
    return (
      entry && {
        id,
        cause: entry.cause,
        atMs: entry.atMs,
        resources: entry.resources,
        proxies: Object.fromEntries([...entry.proxies].map(([k, v]) => [k, { ...v }])),
      }
    );
  }
}
