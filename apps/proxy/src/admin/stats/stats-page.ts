import { RE2JS } from 're2js';
import { askFront, frontJson, listOf } from '../ask-front.ts';
import { daysLeft } from '../certificates-page.ts';
import { type AdminHost, jsonReply, type PageReply } from '../admin-host.ts';
import type { ListenerPart } from '../listeners-page.ts';
import { type ClusterNames, clusterNames, clustersOf } from '../cluster-names.ts';
import { circuitStats, remainingTracked } from './circuit-stats.ts';
import { envoyStats } from './envoy-stats.ts';
import { parseMetrics } from './metrics-text.ts';
import { statsJson, statsPrometheus, statsText } from './render.ts';
import type { Stat } from './stat.ts';

const KINDS: Readonly<Record<string, Stat['kind']>> = {
  Counters: 'counter',
  Gauges: 'gauge',
  Histograms: 'histogram',
};
const STATES = { LIVE: 0, DRAINING: 1, PRE_INITIALIZING: 2, INITIALIZING: 3 } as const;

/** Envoy's `/stats`: what all engine processes counted, in Envoy's names. */
export async function statsPage(host: AdminHost, query: URLSearchParams): Promise<PageReply> {
  const type = query.get('type') ?? 'All';
  if (type !== 'All' && !Object.hasOwn(KINDS, type))
    return { status: 400, body: `type is one of All, ${Object.keys(KINDS).join(', ')}.\n` };
  const filter = query.get('filter');
  if (filter !== null && filter.length > 1_000)
    return { status: 400, body: 'filter is longer than 1000 characters.\n' };
  let matches: (name: string) => boolean = () => true;
  if (filter !== null) {
    try {
      const expression = RE2JS.compile(filter);
      matches = (name) => expression.matcher(name).find();
    } catch (error) {
      return {
        status: 400,
        body: `Invalid re2 regex: ${error instanceof Error ? error.message : String(error)}\n`,
      };
    }
  }
  const format = query.get('format') ?? 'text';
  if (!['text', 'json', 'prometheus'].includes(format))
    return { status: 400, body: 'format is one of text, json, prometheus.\n' };
  const config = {
    listeners: [...(host.discovered()?.listeners ?? []), ...host.fixed().listeners],
    clusters: clustersOf(host),
  };
  const named = clusterNames(config.clusters);
  const { text, addresses, members, clusters, certificateDays } = await measured(host.front, named);
  const all = [
    ...envoyStats(parseMetrics(text), config, addresses),
    ...circuitStats(clusters, named, remainingTracked(config.clusters)),
    ...ofServer(host, certificateDays),
  ];
  // Each process counts the members of a cluster for itself.
  for (const stat of all)
    if (stat.kind === 'gauge' && stat.tagless === 'cluster_membership_total')
      stat.value = members.get(stat.tags['cluster_name'] ?? '') ?? stat.value;
  const stats = all.filter(
    (stat) =>
      matches(stat.name) &&
      (type === 'All' || stat.kind === KINDS[type]) &&
      (!query.has('usedonly') || (stat.kind === 'histogram' ? stat.histogram.count > 0 : stat.value !== 0)),
  );
  if (format === 'json') return jsonReply(statsJson(stats));
  if (format === 'prometheus') {
    // What Envoy has no name for stands there under Tulle's own.
    const own = query.get('native') === null ? '' : text;
    return { contentType: 'text/plain; version=0.0.4; charset=utf-8', body: statsPrometheus(stats) + own };
  }
  return { body: statsText(stats) };
}

interface Measured {
  readonly text: string;
  /** Of listeners, by name. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Endpoints of clusters, by what statistics call those. */
  readonly members: ReadonlyMap<string, number>;
  /** The page of clusters. */
  readonly clusters: Readonly<Record<string, unknown>>;
  /** Until the first certificate ends. */
  readonly certificateDays: number | undefined;
}

/** Before the engine serves there is nothing to tell. */
async function measured(front: string, named: ClusterNames): Promise<Measured> {
  try {
    const [metrics, listeners, clusters, certificates] = await Promise.all([
      askFront(front, '/stats/prometheus'),
      frontJson(front, '/listeners'),
      frontJson(front, '/clusters?format=json'),
      frontJson(front, '/certs'),
    ]);
    return {
      certificateDays: daysLeft(certificates),
      clusters,
      text: metrics.status === 200 ? metrics.body : '',
      addresses: new Map(
        listOf<ListenerPart>(listeners, 'listeners').map(({ name, address }) => [name, address]),
      ),
      members: membersOf(clusters, named),
    };
  } catch {
    return { text: '', addresses: new Map(), members: new Map(), clusters: {}, certificateDays: undefined };
  }
}

function membersOf(page: Readonly<Record<string, unknown>>, named: ClusterNames): Map<string, number> {
  const members = new Map<string, number>();
  for (const { name, endpoints } of listOf<{ name: string; endpoints: readonly unknown[] }>(page, 'clusters'))
    members.set(named(name), (members.get(named(name)) ?? 0) + endpoints.length);
  return members;
}

function ofServer(host: AdminHost, certificateDays: number | undefined): Stat[] {
  const state = host.state();
  const discovery = host.discovery();
  const gauges: readonly (readonly [string, number])[] = [
    ['server.live', state === 'LIVE' ? 1 : 0],
    ['server.state', STATES[state]],
    ['server.uptime', Math.floor((Date.now() - host.startedMs) / 1_000)],
    ['server.concurrency', host.options.workers],
    ['server.hot_restart_epoch', 0],
    // Envoy's number for none.
    ['server.days_until_first_cert_expiring', certificateDays ?? 4_294_967_295],
    ['listener_manager.workers_started', state === 'PRE_INITIALIZING' ? 0 : 1],
    ...(discovery === undefined
      ? []
      : [['control_plane.connected_state', discovery.connected ? 1 : 0] as const]),
  ];
  return gauges.map(([name, value]) => ({
    kind: 'gauge',
    name,
    tagless: name.replaceAll('.', '_'),
    tags: {},
    value,
  }));
}
