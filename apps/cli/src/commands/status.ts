import { describeCapabilities } from '@tulle/sidecar/capabilities';
import { formatDiagnostic, type Diagnostic } from '@tulle/resources';
import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import type { View } from '../cli/output.ts';
import { SELECTOR_OPTION } from '../cli/selector.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';

/** How one kind of resource stands at one proxy. */
export interface KindRow {
  readonly state: 'SYNCED' | 'STALE' | 'NOT SENT' | 'NACKED';
  readonly error?: string;
  /** Resources it should have. */
  readonly resources: number;
  /** Resources and removals sent on its stream, confirmed and refused. */
  readonly sent: number;
  readonly acked: number;
  readonly nacked: number;
}

/** One proxy, as `GET /api/v1/status` tells it. */
export interface ProxyRow {
  readonly id: string;
  readonly connected: boolean;
  /** When its stream ended; absent while it is connected. */
  readonly lastSeenMs?: number;
  /** How its stream ended: `clean` by itself. */
  readonly ended?: 'clean' | 'lost';
  readonly identity?: string;
  readonly workload: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What it does beside identity. */
  readonly capabilities?: readonly string[];
  readonly changeId: string;
  readonly lastPropagationMs?: number;
  /** By `listener`, `route`, `cluster`, `endpoint`. */
  readonly kinds: Readonly<Record<string, KindRow>>;
}

/** Tells the instances of a workload apart: what follows the identity in the node id. */
export const instanceOf = ({ id, workload }: ProxyRow): string => id.split('~')[1] ?? workload;

/** One thing that holds of a resource, or does not. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** The whole answer. */
export interface MeshStatus {
  readonly trustDomain: string;
  readonly proxies: readonly ProxyRow[];
  readonly resources: number;
  readonly sources: readonly {
    readonly id: string;
    readonly faults: readonly Diagnostic[];
  }[];
  readonly filterPolicies: readonly {
    readonly name: string;
    readonly accepted: boolean;
    readonly conditions: readonly Condition[];
    readonly lacking: readonly string[];
  }[];
  /** Services with Workloads that their selector picks and that they do not take, or with a waypoint that is not there. */
  readonly services: readonly {
    readonly name: string;
    readonly conditions: readonly Condition[];
    readonly leftOut: readonly { readonly workload: string; readonly reason: string }[];
  }[];
  /** Why the newest state is not on disk. */
  readonly unsaved?: string;
}

/** What is wrong in a mesh, a line each; what is refused with its reason. */
export function findings(status: MeshStatus): string[] {
  return [
    ...status.sources.flatMap(({ faults }) => faults.map(formatDiagnostic)),
    ...status.proxies
      .filter(({ connected }) => connected)
      .flatMap((proxy) =>
        Object.entries(proxy.kinds).flatMap(([kind, { state, error }]) =>
          state === 'NACKED'
            ? [`${instanceOf(proxy)}.${proxy.namespace} refuses a ${kind}: ${error ?? 'without a reason'}`]
            : [],
        ),
      ),
    ...status.filterPolicies.flatMap(({ name, accepted, lacking }) =>
      accepted
        ? []
        : [`FilterPolicy ${name} is not accepted: its filter is lacking in ${lacking.join(', ')}`],
    ),
    ...status.services.flatMap(({ name, leftOut, conditions }) => [
      ...leftOut.map(
        ({ workload, reason }) => `Service ${name} does not take the Workload ${workload}: ${reason}`,
      ),
      ...conditions
        .filter(({ type, status }) => type === 'WaypointReady' && status === 'False')
        .map(({ message }) => `Service ${name} asks for a waypoint: ${message}`),
    ]),
    ...(status.unsaved === undefined ? [] : [`the control plane cannot save its state: ${status.unsaved}`]),
  ];
}

/** How long ago a proxy was there: `now`, or `3m` ago. */
export function lastSeen({ connected, lastSeenMs }: ProxyRow, nowMs: number): string {
  return connected || lastSeenMs === undefined ? 'now' : ago(lastSeenMs, nowMs);
}

/** `12s ago`, `3m ago`, `2h ago`. */
export function ago(atMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000));
  if (seconds < 60) return `${seconds}s ago`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)}m ago` : `${Math.floor(seconds / 3600)}h ago`;
}

export const command: Command = defineCommand({
  summary: 'Show every proxy, and whether it has what it should have',
  details:
    'SYNCED: it has the newest. STALE: sent, or about to be, and not confirmed yet. NOT SENT: it has nothing of that\nkind yet. NACKED: it refused something and keeps what it had; the reason follows the table. A proxy whose\nstream ended stays for ten minutes, CONNECTED no. -o json counts what was sent, confirmed and refused.',
  options: {
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'only proxies of this namespace',
      env: 'TULLE_NAMESPACE',
    },
    ...SELECTOR_OPTION,
    ...LIST_OPTIONS,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle status', does: 'is everything in sync?' },
    { command: 'tulle status -l app=web -w', does: 'one workload, while a change goes out' },
    { command: 'tulle status -o json', does: 'the counters, for a program' },
  ],
  async run({ io, options, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    await showView(io, options, signal, async () => {
      const status = await client.must<MeshStatus>('GET', '/api/v1/status');
      const rows = status.proxies.filter(
        (proxy) => options.namespace === undefined || proxy.namespace === options.namespace,
      );
      return { view: viewOf(status, rows), notes: findings(status) };
    });
    return EXIT.ok;
  },
});

/** Of one that is gone nobody knows what it has. */
const state =
  (kind: string) =>
  (proxy: ProxyRow): string | undefined =>
    proxy.connected ? proxy.kinds[kind]?.state : undefined;

function viewOf(status: MeshStatus, rows: readonly ProxyRow[]): View<ProxyRow> {
  return {
    rows,
    document: (proxies: readonly ProxyRow[]) => ({ ...status, proxies }),
    name: (proxy) => proxy.id,
    labels: (proxy) => proxy.labels,
    columns: [
      { header: 'NAME', value: (proxy) => `${instanceOf(proxy)}.${proxy.namespace}` },
      { header: 'CONNECTED', value: (proxy) => (proxy.connected ? 'yes' : 'no') },
      { header: 'SEEN', value: (proxy) => lastSeen(proxy, Date.now()) },
      { header: 'CDS', value: state('cluster') },
      { header: 'EDS', value: state('endpoint') },
      { header: 'LDS', value: state('listener') },
      { header: 'RDS', value: state('route') },
      {
        header: 'PROFILE',
        value: ({ capabilities }) =>
          capabilities === undefined ? undefined : describeCapabilities(capabilities),
      },
      { header: 'CHANGE', value: (proxy) => proxy.changeId },
      {
        header: 'TOOK',
        value: (proxy) =>
          proxy.lastPropagationMs === undefined ? undefined : `${Math.round(proxy.lastPropagationMs)}ms`,
        wide: true,
      },
      { header: 'IDENTITY', value: (proxy) => proxy.identity, wide: true },
      { header: 'ID', value: (proxy) => proxy.id, wide: true },
    ],
    empty: 'No proxy is connected. `tulle run` starts a program with one.',
  };
}
