import type { ProxyConfig } from '@tulle/model';
import type { AckReport, ResourceKind, Snapshot } from '@tulle/xds-server';
import type { CompiledProxy } from './compile/proxy.ts';
import type { ProxyNode } from './node.ts';

export const RESOURCE_KINDS: readonly ResourceKind[] = ['listener', 'route', 'cluster', 'endpoint'];
const LISTS = { listener: 'listeners', route: 'routes', cluster: 'clusters', endpoint: 'endpoints' } as const;

/** How one kind of resource stands at one proxy. */
export interface KindStatus {
  readonly state: 'SYNCED' | 'STALE' | 'NOT SENT' | 'NACKED';
  /** Reason of the NACK. */
  readonly error?: string;
  /** Resources it should have. */
  readonly resources: number;
  /** Resources sent, acknowledged and refused since the proxy joined. */
  readonly sent: number;
  readonly acked: number;
  readonly nacked: number;
  /** Content hash of each acknowledged resource. */
  readonly versions: Readonly<Record<string, string>>;
}

interface KindState {
  /** Names that the proxy has not acknowledged, with the sequence of the change that made them new. */
  readonly pending: Map<string, number>;
  readonly versions: Map<string, string>;
  answered: boolean;
  error: string | undefined;
  sent: number;
  acked: number;
  nacked: number;
}

/** One connected proxy: what it should have, and what it has. */
export class ProxySession {
  node: ProxyNode;
  readonly connectedAtMs: number;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  readonly #kinds: Readonly<Record<ResourceKind, KindState>>;
  services: ReadonlySet<string> = new Set();
  snapshot: Snapshot;
  lastChange: { id: string; propagationMs: number } | undefined;

  constructor(node: ProxyNode, connectedAtMs: number) {
    this.node = node;
    this.connectedAtMs = connectedAtMs;
    const state = (): KindState => ({
      pending: new Map(),
      versions: new Map(),
      answered: false,
      error: undefined,
      sent: 0,
      acked: 0,
      nacked: 0,
    });
    this.#kinds = { listener: state(), route: state(), cluster: state(), endpoint: state() };
    this.snapshot = {
      changeId: '',
      config: { version: '', listeners: [], routes: [], clusters: [], endpoints: [] },
    };
  }

  /** Takes a newly compiled configuration. @returns whether it differs */
  update(compiled: CompiledProxy, changeId: string, sequence: number): boolean {
    this.services = compiled.services;
    const before = this.snapshot.config;
    let differs = false;
    const config: { -readonly [K in keyof ProxyConfig]: ProxyConfig[K] } = { ...before, version: changeId };
    for (const kind of RESOURCE_KINDS) {
      const list = LISTS[kind];
      const old = new Map<string, { readonly name: string }>(before[list].map((r) => [r.name, r]));
      let changed = compiled.config[list].length !== old.size;
      const next = (compiled.config[list] as readonly { readonly name: string }[]).map((resource) => {
        const was = old.get(resource.name);
        old.delete(resource.name);
        // What means the same stays the same object: it is then neither encoded nor sent again.
        if (was !== undefined && JSON.stringify(was) === JSON.stringify(resource)) return was;
        changed = true;
        this.#kinds[kind].pending.set(resource.name, sequence);
        return resource;
      });
      for (const gone of old.keys()) this.#kinds[kind].pending.set(gone, sequence);
      if (changed) {
        differs = true;
        Object.assign(config, { [list]: next });
      }
    }
    if (differs) this.snapshot = { changeId, config };
    return differs;
  }

  announce(): void {
    for (const listener of this.#listeners) listener(this.snapshot);
  }

  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** @returns whether the proxy now has everything up to `sequence` */
  acked(report: AckReport, sequence: number): boolean {
    const state = this.#kinds[report.kind];
    state.answered = true;
    const count = report.resources.length + report.removed.length;
    state.sent += count;
    if (!report.ok) {
      state.nacked += count;
      state.error = report.error ?? 'refused without a reason';
      return false;
    }
    state.acked += count;
    state.error = undefined;
    for (const { name, version } of report.resources) {
      state.versions.set(name, version);
      if ((state.pending.get(name) ?? Infinity) <= sequence) state.pending.delete(name);
    }
    for (const name of report.removed) {
      state.versions.delete(name);
      if ((state.pending.get(name) ?? Infinity) <= sequence) state.pending.delete(name);
    }
    return RESOURCE_KINDS.every((kind) => [...this.#kinds[kind].pending.values()].every((s) => s > sequence));
  }

  status(): Record<ResourceKind, KindStatus> {
    return Object.fromEntries(
      RESOURCE_KINDS.map((kind) => {
        const { pending, versions, answered, error, sent, acked, nacked } = this.#kinds[kind];
        const resources = this.snapshot.config[LISTS[kind]].length;
        const state =
          error !== undefined
            ? 'NACKED'
            : pending.size > 0
              ? answered
                ? 'STALE'
                : 'NOT SENT'
              : answered || resources === 0
                ? 'SYNCED'
                : 'NOT SENT';
        return [
          kind,
          {
            state,
            ...(error === undefined ? {} : { error }),
            resources,
            sent,
            acked,
            nacked,
            versions: Object.fromEntries(versions),
          },
        ];
      }),
    ) as Record<ResourceKind, KindStatus>;
  }
}
