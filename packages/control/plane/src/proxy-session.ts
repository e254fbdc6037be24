import type { ProxyConfig } from '@tulle/model';
import type { AckReport, ResourceKind, ResumeReport, SentReport, Snapshot } from '@tulle/xds-server';
import type { CompiledProxy, ProxyCompiler } from './compile/proxy.ts';
import type { ProxyNode } from './node.ts';
import { isSameValue } from './same-value.ts';

export const RESOURCE_KINDS: readonly ResourceKind[] = ['listener', 'route', 'cluster', 'endpoint'];
const LISTS = { listener: 'listeners', route: 'routes', cluster: 'clusters', endpoint: 'endpoints' } as const;

/** How one kind of resource stands at one proxy. */
export interface KindStatus {
  /**
   * `SYNCED`: it has what it should have. `NOT SENT`: it has none of it, and nothing was sent. `STALE`: something is
   * sent, or to be sent, and not confirmed. `NACKED`: it refuses something, and keeps what it had.
   */
  readonly state: 'SYNCED' | 'STALE' | 'NOT SENT' | 'NACKED';
  /** Reasons of what is refused. */
  readonly error?: string;
  /** Resources it should have. */
  readonly resources: number;
  /** Resources and removals sent on its stream, confirmed and refused; what it has from before is not sent. */
  readonly sent: number;
  readonly acked: number;
  readonly nacked: number;
  /** Content hash of each resource that it has. */
  readonly versions: Readonly<Record<string, string>>;
}

interface KindState {
  /** Sequence of the newest change that touched it, and of that up to which the proxy has everything. */
  changedAt: number;
  confirmedAt: number;
  readonly versions: Map<string, string>;
  /** Reason by name that the proxy refuses. */
  readonly refused: Map<string, string>;
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
  compiler: ProxyCompiler;
  snapshot: Snapshot;
  /** Ends its stream. */
  end: ((reason: string) => void) | undefined;
  lastChange: { id: string; propagationMs: number } | undefined;

  constructor(node: ProxyNode, compiler: ProxyCompiler, connectedAtMs: number) {
    this.node = node;
    this.compiler = compiler;
    this.connectedAtMs = connectedAtMs;
    const state = (): KindState => ({
      changedAt: 0,
      confirmedAt: 0,
      versions: new Map(),
      refused: new Map(),
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
        if (was === resource || (was !== undefined && isSameValue(was, resource))) return was;
        changed = true;
        return resource;
      });
      if (changed || old.size > 0) {
        differs = true;
        this.#kinds[kind].changedAt = sequence;
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

  sent({ kind, resources, removed }: SentReport): void {
    this.#kinds[kind].sent += resources.length + removed.length;
  }

  /** It has from before what it should have. */
  resumed({ kind, resources }: ResumeReport): void {
    for (const { name, version } of resources) this.#kinds[kind].versions.set(name, version);
  }

  acked({ kind, resources, removed, ok, error, nonce }: AckReport): void {
    const state = this.#kinds[kind];
    const count = resources.length + removed.length;
    if (!ok) {
      if (nonce !== '') state.nacked += count; // else it could not be sent at all
      const reason = error ?? 'refused without a reason';
      for (const { name } of resources) state.refused.set(name, reason);
      for (const name of removed) state.refused.set(name, reason);
      return;
    }
    state.acked += count;
    for (const { name, version } of resources) {
      state.versions.set(name, version);
      state.refused.delete(name);
    }
    for (const name of removed) {
      state.versions.delete(name);
      state.refused.delete(name);
    }
  }

  /** Whether it has a resource, and why it refuses the newest of that name. */
  standingOf(
    kind: ResourceKind,
    name: string,
  ): { readonly has: boolean; readonly refused: string | undefined } {
    const { versions, refused } = this.#kinds[kind];
    return { has: versions.has(name), refused: refused.get(name) };
  }

  /** Names of the resources of a kind that it has. */
  namesOf(kind: ResourceKind): Iterable<string> {
    return this.#kinds[kind].versions.keys();
  }

  /** Nothing of a kind is under way up to `sequence`. @returns whether that holds for all kinds now */
  upToDate(kind: ResourceKind, sequence: number): boolean {
    const state = this.#kinds[kind];
    state.confirmedAt = Math.max(state.confirmedAt, sequence);
    if (state.refused.size > 0) {
      const names = new Set(this.snapshot.config[LISTS[kind]].map(({ name }) => name));
      for (const name of state.refused.keys())
        if (!names.has(name) && !state.versions.has(name)) state.refused.delete(name);
    }
    return RESOURCE_KINDS.every((one) => {
      const { changedAt, confirmedAt } = this.#kinds[one];
      return confirmedAt >= changedAt || changedAt > sequence;
    });
  }

  status(): Record<ResourceKind, KindStatus> {
    return Object.fromEntries(
      RESOURCE_KINDS.map((kind) => {
        const { changedAt, confirmedAt, versions, refused, sent, acked, nacked } = this.#kinds[kind];
        const reasons = new Set(refused.values());
        const state =
          refused.size > 0
            ? 'NACKED'
            : confirmedAt >= changedAt
              ? 'SYNCED'
              : sent === 0 && versions.size === 0
                ? 'NOT SENT'
                : 'STALE';
        return [
          kind,
          {
            state,
            ...(reasons.size === 0 ? {} : { error: [...reasons].join('; ') }),
            resources: this.snapshot.config[LISTS[kind]].length,
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
