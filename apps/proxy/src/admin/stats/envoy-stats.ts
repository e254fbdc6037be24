import type { Listener, ProxyConfig } from '@tulle/model';
import { formatAddress } from '@tulle/model';
import { type ClusterNames, clusterNames } from '../cluster-names.ts';
import type { Family, Sample } from './metrics-text.ts';
import type { Histogram, Stat, Tags } from './stat.ts';
import {
  KEEPS_TOTAL,
  GROUPS,
  RENAMED,
  OF_CLUSTERS,
  OF_LISTENERS,
  OF_HTTP,
  RETRY_REFUSALS,
} from './stat-names.ts';

/** Statistics by their name, so that what Envoy does not tell apart adds up. */
class Collected {
  readonly #stats = new Map<string, Stat>();

  number(kind: 'counter' | 'gauge', name: string, tagless: string, tags: Tags, value: number): void {
    const found = this.#stats.get(name);
    if (found?.kind === kind) found.value += value;
    else if (found === undefined) this.#stats.set(name, { kind, name, tagless, tags, value });
  }

  /** @param scale from the unit of the engine to Envoy's */
  bucket(
    name: string,
    tagless: string,
    tags: Tags,
    { name: part, labels, value }: Sample,
    scale: number,
  ): void {
    const found = this.#stats.get(name);
    const made: Stat = found ?? {
      kind: 'histogram',
      name,
      tagless,
      tags,
      histogram: { buckets: [], count: 0, sum: 0 },
    };
    if (found === undefined) this.#stats.set(name, made);
    if (made.kind === 'histogram') addPart(made.histogram, part, labels['le'], value, scale);
  }

  list(): Stat[] {
    return [...this.#stats.values()];
  }

  /** Connections that are over: of all those that are not open. The engine counts the two alone. */
  addDestroyed(): void {
    for (const all of this.list()) {
      const [, start] = /^((?:cluster|listener|http)\..*stream_cx_)total$/.exec(all.name) ?? [];
      const open = start === undefined ? undefined : this.#stats.get(`${start}active`);
      if (start === undefined || all.kind !== 'counter' || open?.kind !== 'gauge') continue;
      const tagless = all.tagless.replace(/total$/, 'destroy');
      this.number('counter', `${start}destroy`, tagless, all.tags, Math.max(0, all.value - open.value));
    }
  }
}

function addPart(
  histogram: Histogram,
  part: string,
  le: string | undefined,
  value: number,
  scale: number,
): void {
  if (part.endsWith('_count')) histogram.count += value;
  else if (part.endsWith('_sum')) histogram.sum += value * scale;
  else if (le !== undefined) {
    const bound = le === '+Inf' ? Infinity : Number((Number(le) * scale).toPrecision(12));
    const bucket = histogram.buckets.find((one) => one.le === bound);
    if (bucket === undefined) histogram.buckets.push({ le: bound, count: value });
    else bucket.count += value;
  }
}

/** What is known of a listener beside its metrics. */
interface ListenerNames {
  /** Envoy's: `0.0.0.0_10000`. */
  readonly address: string;
  /** Of its first HTTP chain; `undefined` for one that carries bytes. */
  readonly http: string | undefined;
  readonly tcp: string | undefined;
}

/**
 * The engine's metrics in Envoy's names.
 * @param families of all engine processes together
 * @param addresses where listeners listen, by name
 */
export function envoyStats(
  families: readonly Family[],
  config: Pick<ProxyConfig, 'listeners' | 'clusters'>,
  addresses: ReadonlyMap<string, string> = new Map(),
): Stat[] {
  const collected = new Collected();
  const named = clusterNames(config.clusters);
  const listeners = new Map(config.listeners.map((one) => [one.name, namesOf(one, addresses.get(one.name))]));
  for (const family of families) {
    if (family.name.startsWith('tulle_cluster_')) addCluster(collected, family, named);
    else if (family.name.startsWith('tulle_listener_')) addListener(collected, family, listeners);
    else if (family.name.startsWith('tulle_vhost_')) addVirtualHost(collected, family);
    else addRequests(collected, family, listeners, named);
  }
  const { length } = config.listeners;
  collected.number(
    'gauge',
    'listener_manager.total_listeners_active',
    'listener_manager_total_listeners_active',
    {},
    length,
  );
  collected.number(
    'gauge',
    'cluster_manager.active_clusters',
    'cluster_manager_active_clusters',
    {},
    config.clusters.length,
  );
  collected.addDestroyed();
  return collected.list();
}

function namesOf(listener: Listener, bound: string | undefined): ListenerNames {
  const handlers = listener.filterChains.map(({ handler }) => handler);
  const prefix = (kind: 'http' | 'tcp'): string | undefined => {
    const handler = handlers.find((one) => one.kind === kind);
    return handler && (handler.statPrefix ?? listener.name);
  };
  return {
    address: (listener.statPrefix ?? bound ?? formatAddress(listener.address)).replaceAll(':', '_'),
    http: prefix('http'),
    tcp: prefix('tcp'),
  };
}

function addCluster(collected: Collected, { name, type, samples }: Family, named: ClusterNames): void {
  for (const sample of samples) {
    const cluster = named(sample.labels['cluster'] ?? '');
    const tags = { cluster_name: cluster };
    const whole = name.slice('tulle_cluster_'.length);
    if (type === 'histogram') {
      if (!whole.endsWith('_seconds')) continue;
      const stat = whole.slice(0, -'_seconds'.length);
      collected.bucket(`cluster.${cluster}.${stat}`, `cluster_${stat}`, tags, sample, 1_000);
      continue;
    }
    const digit = sample.labels['response_code_class'];
    if (whole === 'upstream_rq_xx_total' && digit !== undefined) {
      const of = digit.slice(0, 1);
      collected.number(
        'counter',
        `cluster.${cluster}.upstream_rq_${of}xx`,
        'cluster_upstream_rq_xx',
        { ...tags, response_code_class: of },
        sample.value,
      );
      const completed = 'upstream_rq_completed';
      collected.number(
        'counter',
        `cluster.${cluster}.${completed}`,
        `cluster_${completed}`,
        tags,
        sample.value,
      );
      continue;
    }
    const refusal =
      whole === 'upstream_rq_retry_refused_total' ? RETRY_REFUSALS[sample.labels['reason'] ?? ''] : undefined;
    if (whole === 'upstream_rq_retry_refused_total' && refusal === undefined) continue;
    const stat = refusal ?? plain(whole);
    if (!OF_CLUSTERS.has(stat)) continue;
    const group = GROUPS.find((one) => stat.startsWith(one));
    const { check } = sample.labels;
    // Of several health checks each has its own.
    const of = check === undefined ? '' : `name.${check}.`;
    const dotted = group === undefined ? stat : `${group.slice(0, -1)}.${of}${stat.slice(group.length)}`;
    // Memberships go down as well, whatever the meter calls them.
    const kind = type === 'gauge' || stat.startsWith('membership_') ? 'gauge' : 'counter';
    // As Envoy tells the tag apart: up to a dot in the name, behind which it is part of the statistic's.
    const [tag, ...rest] = check?.split('.') ?? [];
    const flat = [group?.slice(0, -1) ?? '', ...rest, stat.slice(group?.length ?? 0)].join('_');
    collected.number(
      kind,
      `cluster.${cluster}.${dotted}`,
      `cluster_${tag === undefined ? stat : flat.replaceAll(/[^A-Za-z0-9_]/g, '_')}`,
      tag === undefined ? tags : { health_check_name: tag, ...tags },
      sample.value,
    );
  }
}

/** Of routes with `stat_prefix`, and of virtual clusters. */
function addVirtualHost(collected: Collected, { name, type, samples }: Family): void {
  const whole = name.slice('tulle_vhost_'.length);
  for (const sample of samples) {
    const { virtual_host = '', scope = '', name: own = '', response_code: code } = sample.labels;
    const prefix = `vhost.${virtual_host}.${scope}.${own}`;
    const tags = { virtual_host, [scope === 'route' ? 'route' : 'virtual_cluster']: own };
    const add = (stat: string, tagless: string, more: Tags = {}): void =>
      collected.number(
        'counter',
        `${prefix}.${stat}`,
        `vhost_${scope}_${tagless}`,
        { ...tags, ...more },
        sample.value,
      );
    if (type === 'histogram')
      collected.bucket(`${prefix}.upstream_rq_time`, `vhost_${scope}_upstream_rq_time`, tags, sample, 1_000);
    else if (code !== undefined) {
      const of = code.slice(0, 1);
      add(`upstream_rq_${code}`, 'upstream_rq', { response_code: code });
      add(`upstream_rq_${of}xx`, 'upstream_rq_xx', { response_code_class: of });
      add('upstream_rq_completed', 'upstream_rq_completed');
    } else {
      const stat = plain(whole);
      add(stat, stat);
    }
  }
}

function addListener(
  collected: Collected,
  { name, type, samples }: Family,
  listeners: ReadonlyMap<string, ListenerNames>,
): void {
  for (const sample of samples) {
    const known = listeners.get(sample.labels['listener'] ?? '');
    if (known === undefined) continue;
    const stat = plain(name.slice('tulle_listener_'.length));
    const kind = type === 'gauge' ? 'gauge' : 'counter';
    if (OF_LISTENERS.has(stat))
      collected.number(
        kind,
        `listener.${known.address}.${stat}`,
        `listener_${stat}`,
        { listener_address: known.address },
        sample.value,
      );
    if (OF_HTTP.has(stat) && known.http !== undefined)
      collected.number(
        kind,
        `http.${known.http}.${stat}`,
        `http_${stat}`,
        { http_conn_manager_prefix: known.http },
        sample.value,
      );
    else if (
      known.tcp !== undefined &&
      /^downstream_cx_(?:total|active)$/.test(stat) &&
      known.http === undefined
    )
      collected.number(
        kind,
        `tcp.${known.tcp}.${stat}`,
        `tcp_${stat}`,
        { tcp_prefix: known.tcp },
        sample.value,
      );
  }
}

/** What is counted of requests as a whole. */
function addRequests(
  collected: Collected,
  { name, samples }: Family,
  listeners: ReadonlyMap<string, ListenerNames>,
  named: ClusterNames,
): void {
  for (const sample of samples) {
    const known = listeners.get(sample.labels['listener'] ?? '');
    switch (name) {
      case 'tulle_requests_total': {
        const prefix = known?.http;
        if (prefix === undefined) break;
        const tags = { http_conn_manager_prefix: prefix };
        const digit = /^[1-5]/.exec(sample.labels['response_code'] ?? '')?.[0];
        collected.number(
          'counter',
          `http.${prefix}.downstream_rq_completed`,
          'http_downstream_rq_completed',
          tags,
          sample.value,
        );
        if (digit !== undefined)
          collected.number(
            'counter',
            `http.${prefix}.downstream_rq_${digit}xx`,
            'http_downstream_rq_xx',
            { ...tags, response_code_class: digit },
            sample.value,
          );
        break;
      }
      case 'tulle_upstream_attempts_total': {
        const { cluster: raw = '', response_code: code = '' } = sample.labels;
        if (!/^[1-5]\d\d$/.test(code)) break;
        const cluster = named(raw);
        const tags = { cluster_name: cluster, response_code: code };
        collected.number(
          'counter',
          `cluster.${cluster}.upstream_rq_${code}`,
          'cluster_upstream_rq',
          tags,
          sample.value,
        );
        break;
      }
      case 'tulle_request_duration_seconds':
        if (known?.http !== undefined)
          collected.bucket(
            `http.${known.http}.downstream_rq_time`,
            'http_downstream_rq_time',
            { http_conn_manager_prefix: known.http },
            sample,
            1_000,
          );
        break;
      case 'tulle_tcp_received_bytes_total':
      case 'tulle_tcp_sent_bytes_total': {
        if (known?.tcp === undefined) break;
        const stat =
          name === 'tulle_tcp_received_bytes_total'
            ? 'downstream_cx_rx_bytes_total'
            : 'downstream_cx_tx_bytes_total';
        collected.number(
          'counter',
          `tcp.${known.tcp}.${stat}`,
          `tcp_${stat}`,
          { tcp_prefix: known.tcp },
          sample.value,
        );
        break;
      }
      case 'tulle_access_log_service_delivered_total':
      case 'tulle_access_log_service_dropped_total': {
        const stat = name.includes('_delivered_') ? 'logs_written' : 'logs_dropped';
        const whole = `access_logs.${sample.labels['logger'] ?? ''}${stat}`;
        collected.number('counter', whole, whole.replaceAll('.', '_'), {}, sample.value);
        break;
      }
      case 'process_resident_memory_bytes':
        collected.number(
          'gauge',
          'server.memory_physical_size',
          'server_memory_physical_size',
          {},
          sample.value,
        );
        break;
      case 'nodejs_heap_size_used_bytes':
        collected.number('gauge', 'server.memory_allocated', 'server_memory_allocated', {}, sample.value);
        break;
      default:
    }
  }
}

function plain(name: string): string {
  const short = KEEPS_TOTAL.has(name) || !name.endsWith('_total') ? name : name.slice(0, -'_total'.length);
  return Object.hasOwn(RENAMED, short) ? (RENAMED[short] ?? short) : short;
}
