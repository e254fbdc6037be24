import { isPrime } from '@tulle/balance';
import { findInvalidName, findInvalidValue } from '@tulle/fields';
import { isValidAuthority, isValidTarget } from '@tulle/http1';
import { CompileContext, compileStringMatch, loadedRegexEngine } from '@tulle/match';
import {
  BODILESS_CHECK_METHODS,
  DEFAULT_RECEIVED_BYTES,
  type Cluster,
  type HealthCheck,
  type HostOverride,
  type HttpHealthCheck,
  type UpstreamTls,
} from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { ClientTls } from '../ports.ts';
import type { ClusterTls, TlsForLabels } from '../upstream/endpoint-tls.ts';
import { compileHeader } from '../upstream/proxy-header.ts';
import { canonical } from './canonical.ts';
import { compileHashPolicy } from './compile-hash-policy.ts';
import type { EventFiles } from './event-files.ts';
import type { Issues } from './issues.ts';

/** A cluster that was checked, with its TLS ready (none when the running cluster is kept); made into a runtime before the configuration is applied. */
export interface CompiledCluster extends ClusterTls {
  readonly config: Cluster;
  readonly key: string;
  readonly kept: boolean;
  /** Open files; none when the running cluster is kept. */
  readonly events: EventFiles;
}

/**
 * Checks what the model's schema cannot, and prepares TLS. @param cluster sound by the schema
 * @param runningKey of the cluster of that name that is at work
 */
export function compileCluster(
  cluster: Cluster,
  path: string,
  runningKey: string | undefined,
  engine: Engine,
  issues: Issues,
): Omit<CompiledCluster, 'events'> {
  const { balance } = cluster;
  if (balance?.policy === 'maglev' && balance.tableSize !== undefined && !isPrime(balance.tableSize))
    issues.add(`${path}/balance/tableSize`, `${balance.tableSize} is no prime; e.g. 65537 is one`);
  if (balance?.policy === 'ring-hash' && (balance.minRingSize ?? 1_024) > (balance.maxRingSize ?? 65_537))
    issues.add(`${path}/balance/minRingSize`, `${balance.minRingSize ?? 1_024} is more than maxRingSize`);
  if (cluster.zoneRouting !== undefined && cluster.localityWeighted === true)
    issues.add(
      `${path}/zoneRouting`,
      'must be absent beside localityWeighted: localities share by one of them',
    );
  if (cluster.hostOverride !== undefined)
    checkHostOverride(cluster.hostOverride, cluster.discovery.kind, `${path}/hostOverride`, issues);
  if (cluster.healthCheck !== undefined) checkHealthCheck(cluster.healthCheck, `${path}/healthCheck`, issues);
  checkMoreChecks(cluster, path, issues);
  const context = new CompileContext(loadedRegexEngine());
  compileHashPolicy(cluster.hashPolicy, `${path}/hashPolicy`, context);
  for (const { path: at, message } of context.issues) issues.add(at, message);
  const { discovery } = cluster;
  // Endpoints given in the cluster change in place; everything else makes another cluster.
  const key = canonical({
    ...cluster,
    discovery: discovery.kind === 'static' ? { kind: 'static' } : discovery,
  });
  const kept = runningKey === key;
  const make = (tls: UpstreamTls | undefined, at: string): ClientTls | undefined => {
    return kept || tls === undefined ? undefined : issues.guard(at, () => engine.transport.clientTls(tls));
  };
  const tls = make(cluster.tls, `${path}/tls`);
  const tlsMatches = (cluster.tlsMatches ?? []).map((match, index): TlsForLabels => ({
    labels: Object.entries(match.labels),
    tls: make(match.tls, `${path}/tlsMatches/${index}/tls`),
    proxyProtocol: compileHeader(match.proxyProtocol, match.proxyHeader),
    passthrough: match.passthrough,
  }));
  for (const [at, { proxyProtocol: version, proxyHeader }] of [
    [path, cluster] as const,
    ...(cluster.tlsMatches ?? []).map((match, index) => [`${path}/tlsMatches/${index}`, match] as const),
  ])
    if (version === undefined && proxyHeader !== undefined)
      issues.add(`${at}/proxyHeader`, 'must stand beside proxyProtocol, of whose header it tells');
  const proxyProtocol = compileHeader(cluster.proxyProtocol, cluster.proxyHeader);
  const { passthrough } = cluster;
  return { config: cluster, key, tls, tlsMatches, proxyProtocol, passthrough, kept };
}

/** Whether some TLS of a cluster takes whatever certificate it is shown. */
export function believesAnybody(cluster: Cluster): boolean {
  return [cluster, ...(cluster.tlsMatches ?? [])].some(
    ({ tls }) => tls?.trust.kind === 'none' && !tls.certificateHashes && !tls.publicKeyHashes,
  );
}

/** Kinds of clusters that have no list of endpoints of their own to find an address in. */
const WITHOUT_LIST: ReadonlySet<string> = new Set(['aggregate', 'forward-proxy', 'original-dst']);

function checkHostOverride(
  { sources }: HostOverride,
  kind: Cluster['discovery']['kind'],
  path: string,
  issues: Issues,
): void {
  if (WITHOUT_LIST.has(kind))
    issues.add(
      path,
      `must be absent where discovery is ${kind}: there is no list of endpoints to find one in`,
    );
  for (const [index, source] of sources.entries())
    if (source.kind === 'header' && findInvalidName(source.name.toLowerCase()) >= 0)
      issues.add(`${path}/sources/${index}/name`, `${JSON.stringify(source.name)} is no name of a field`);
}

function checkMoreChecks(
  { healthCheck, moreHealthChecks = [] }: Cluster,
  path: string,
  issues: Issues,
): void {
  if (moreHealthChecks.length === 0) return;
  if (healthCheck === undefined)
    return issues.add(`${path}/moreHealthChecks`, 'must be absent where there is no healthCheck');
  const names = new Set<string>();
  for (const [index, check] of [healthCheck, ...moreHealthChecks].entries()) {
    const at = index === 0 ? `${path}/healthCheck` : `${path}/moreHealthChecks/${index - 1}`;
    if (index > 0) checkHealthCheck(check, at, issues);
    if (check.name === undefined) issues.add(`${at}/name`, 'is missing: each of several checks has a name');
    else if (names.has(check.name))
      issues.add(`${at}/name`, `is the name of another check as well: ${JSON.stringify(check.name)}`);
    else names.add(check.name);
  }
}

function checkHealthCheck(check: HealthCheck, path: string, issues: Issues): void {
  if (check.kind !== 'tcp') {
    for (const [index, { name, value }] of (check.headers ?? []).entries())
      if (findInvalidName(name.toLowerCase()) >= 0 || findInvalidValue(value) >= 0)
        issues.add(`${path}/headers/${index}`, `${JSON.stringify(`${name}: ${value}`)} is no field`);
  }
  if (check.kind !== 'http') return;
  if (!isValidTarget(check.method ?? 'GET', check.path))
    issues.add(`${path}/path`, `${JSON.stringify(check.path)} is no path`);
  if (check.host !== undefined && !isValidAuthority(check.host))
    issues.add(`${path}/host`, `${JSON.stringify(check.host)} is no host`);
  checkBodies(check, path, issues);
  for (const list of ['expectedStatuses', 'retriableStatuses'] as const) {
    for (const [index, { from, to }] of (check[list] ?? []).entries())
      if (from > to) issues.add(`${path}/${list}/${index}`, `from ${from} is more than to ${to}`);
  }
}

function checkBodies(check: HttpHealthCheck, path: string, issues: Issues): void {
  const {
    method = 'GET',
    send,
    receive = [],
    receiveWithinBytes: within = DEFAULT_RECEIVED_BYTES,
    serviceName,
  } = check;
  if (send !== undefined && BODILESS_CHECK_METHODS.has(method))
    issues.add(`${path}/send`, `must be absent where the method is ${method}, which has no body`);
  const bytes = receive.reduce((sum, one) => sum + one.length / 2, 0);
  if (within !== 0 && bytes > within)
    issues.add(`${path}/receive`, `is ${bytes} bytes long: more than receiveWithinBytes, ${within}`);
  if (serviceName === undefined) return;
  const context = new CompileContext(loadedRegexEngine());
  compileStringMatch(serviceName, context, `${path}/serviceName`);
  for (const { path: at, message } of context.issues) issues.add(at, message);
}
