import { LOCAL_REPLIES } from '@tulle/model';
import { isPrime } from '@tulle/balance';
import { CompileContext, compileCidrs } from '@tulle/match';
import { parseDurationMs } from '../duration.ts';
import type { AuthorizationPolicy } from '../kinds/authorization-policy.ts';
import type { FilterPolicy } from '../kinds/filter-policy.ts';
import type { PolicyTarget } from '../kinds/metadata.ts';
import { ROUTE_PARTS, type TrafficPolicy, type TrafficPolicySpec } from '../kinds/traffic-policy.ts';
import { isRouteKind } from '../routes.ts';
import { checkIdentityConfig } from './identity-fields.ts';
import { checkLocalReplies } from './local-replies.ts';
import { checkPattern, noRepeats, type CheckHost } from './check-host.ts';

const GROUP_OF: Readonly<Record<string, string>> = {
  Service: '',
  HTTPRoute: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
};

function checkTargets(targets: readonly PolicyTarget[], host: CheckHost): void {
  for (const [i, target] of targets.entries()) {
    const group = GROUP_OF[target.kind];
    if (group !== undefined && target.group !== group)
      host.report(
        'TULLE0205',
        `/spec/targetRefs/${i}/group`,
        `${target.kind} is of group ${JSON.stringify(group)}, not ${JSON.stringify(target.group)}`,
      );
  }
  noRepeats(
    host,
    targets,
    (t) => JSON.stringify([t.kind, t.name, t.sectionName]),
    (i) => `/spec/targetRefs/${i}`,
    () => 'the target is listed twice',
  );
}

function checkOneSelection(
  spec: { readonly targetRefs?: unknown; readonly selector?: unknown },
  host: CheckHost,
): void {
  if (spec.targetRefs !== undefined && spec.selector !== undefined)
    host.report('TULLE0208', '/spec/selector', 'give targetRefs or selector, not both');
}

export function checkAuthorizationPolicy(policy: AuthorizationPolicy, host: CheckHost): void {
  checkOneSelection(policy.spec, host);
  checkTargets(policy.spec.targetRefs ?? [], host);
  for (const [i, rule] of (policy.spec.rules ?? []).entries()) {
    const from = `/spec/rules/${i}/from`;
    const context = new CompileContext(host.regex);
    compileCidrs(rule.from?.cidrs ?? [], context, `${from}/cidrs`);
    compileCidrs(rule.from?.notCidrs ?? [], context, `${from}/notCidrs`);
    for (const issue of context.issues) host.report('TULLE0205', issue.path, issue.message);
    for (const field of ['identities', 'notIdentities'] as const) {
      for (const [j, id] of (rule.from?.[field] ?? []).entries()) {
        if (!/^(spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]*)+\*?|\*)$/.test(id)) {
          host.report(
            'TULLE0205',
            `${from}/${field}/${j}`,
            `${JSON.stringify(id)} is no SPIFFE id`,
            'write spiffe://<trust domain>/ns/<namespace>/sa/<service account>, a prefix of it with the whole trust domain and a slash before a * at its end, or * for any; or use serviceAccounts',
          );
        }
      }
    }
    for (const field of ['paths', 'notPaths'] as const) {
      for (const [j, path] of (rule.to?.[field] ?? []).entries()) {
        const stars = path.split('*').length - 1;
        if (stars > 1 || (stars === 1 && path !== '*' && !path.startsWith('*') && !path.endsWith('*'))) {
          host.report(
            'TULLE0205',
            `/spec/rules/${i}/to/${field}/${j}`,
            `${JSON.stringify(path)} has * in the middle`,
            '* may stand at the beginning or at the end',
          );
        } else if (stars === 0 && !path.startsWith('/')) {
          host.report(
            'TULLE0205',
            `/spec/rules/${i}/to/${field}/${j}`,
            `${JSON.stringify(path)} is no path`,
            'a path begins with /',
          );
        }
      }
    }
    for (const [j, header] of (rule.to?.headers ?? []).entries()) {
      if (header.match.kind === 'regex')
        checkPattern(host, header.match.value, `/spec/rules/${i}/to/headers/${j}/match/value`);
    }
  }
}

export function checkTrafficPolicy(policy: TrafficPolicy, host: CheckHost): void {
  const { spec } = policy;
  checkTargets(spec.targetRefs, host);
  if (spec.targetRefs.some((t) => isRouteKind(t.kind))) {
    for (const part of Object.keys(spec)) {
      if (part !== 'targetRefs' && !ROUTE_PARTS.includes(part))
        host.report(
          'TULLE0208',
          `/spec/${part}`,
          `${part} belongs to a Service, not to a route`,
          'put it into a TrafficPolicy of its own that targets the Service',
        );
    }
    if (spec.timeouts?.connect !== undefined)
      host.report('TULLE0208', '/spec/timeouts/connect', 'connect belongs to a Service, not to a route');
  }
  const ms = (text: string | undefined): number => parseDurationMs(text ?? '0s') ?? 0;
  if (ms(spec.timeouts?.request) > 0 && ms(spec.timeouts?.backendRequest) > ms(spec.timeouts?.request)) {
    host.report(
      'TULLE0208',
      '/spec/timeouts/backendRequest',
      'backendRequest is longer than request, within which it must end',
    );
  }
  if (spec.timeouts?.connect !== undefined && ms(spec.timeouts.connect) === 0) {
    host.report(
      'TULLE0204',
      '/spec/timeouts/connect',
      'connect cannot be switched off: a connection that never comes would hold its request for ever',
    );
  }
  const retries = spec.retries;
  if (retries?.codes !== undefined && retries.on !== undefined && !retries.on.includes('status-codes')) {
    host.report('TULLE0208', '/spec/retries/codes', 'codes are used only with status-codes under on');
  }
  if (retries?.on?.includes('status-codes') === true && retries.codes === undefined)
    host.report('TULLE0208', '/spec/retries/on', 'status-codes needs codes');
  for (const field of ['backoff', 'maxBackoff'] as const) {
    const value = retries?.[field];
    if (value !== undefined && (ms(value) < 1 || ms(value) > (field === 'backoff' ? 60_000 : 600_000))) {
      host.report(
        'TULLE0204',
        `/spec/retries/${field}`,
        `${field} is ${value}, but must be between 1ms and ${field === 'backoff' ? '60s' : '10m'}`,
      );
    }
  }
  if (retries?.maxBackoff !== undefined && ms(retries.maxBackoff) < ms(retries.backoff ?? '25ms'))
    host.report('TULLE0208', '/spec/retries/maxBackoff', 'maxBackoff is shorter than backoff');
  const positive: [string | undefined, string][] = [
    [spec.outlierDetection?.interval, 'outlierDetection/interval'],
    [spec.outlierDetection?.baseEjection, 'outlierDetection/baseEjection'],
    [spec.outlierDetection?.maxEjection, 'outlierDetection/maxEjection'],
    [spec.outlierDetection?.successRate?.window, 'outlierDetection/successRate/window'],
    [spec.healthCheck?.interval, 'healthCheck/interval'],
    [spec.healthCheck?.timeout, 'healthCheck/timeout'],
    [spec.healthCheck?.noTrafficInterval, 'healthCheck/noTrafficInterval'],
    [spec.balancing?.slowStart?.window, 'balancing/slowStart/window'],
    [spec.balancing?.decay, 'balancing/decay'],
    [spec.balancing?.defaultRtt, 'balancing/defaultRtt'],
    [spec.retryBudget?.interval, 'retryBudget/interval'],
    [spec.connectionPool?.idleTimeout, 'connectionPool/idleTimeout'],
  ];
  for (const [value, at] of positive)
    if (value !== undefined && ms(value) === 0)
      host.report('TULLE0204', `/spec/${at}`, `${at.split('/').at(-1)} must be longer than 0`);
  checkHashing(spec.balancing, host);
  const { healthCheck } = spec;
  if (
    healthCheck !== undefined &&
    [healthCheck.http, healthCheck.tcp, healthCheck.grpc].filter((kind) => kind !== undefined).length !== 1
  )
    host.report(
      'TULLE0208',
      '/spec/healthCheck',
      'a health check is one of http, tcp and grpc; give one of them',
    );
  for (const [i, range] of (healthCheck?.http?.expectedStatuses ?? []).entries()) {
    const [from = '', to = from] = range.split('-');
    if (from > to)
      host.report(
        'TULLE0205',
        `/spec/healthCheck/http/expectedStatuses/${i}`,
        `${range} is no range: it ends before it begins`,
      );
  }
  noRepeats(
    host,
    spec.subsets ?? [],
    (subset) => subset.name,
    (i) => `/spec/subsets/${i}/name`,
    (name) => `the subset ${name} is there twice`,
  );
  for (const [i, subset] of (spec.subsets ?? []).entries()) {
    if (subset.name === 'invalid')
      host.report(
        'TULLE0205',
        `/spec/subsets/${i}/name`,
        'the name invalid means what a wrong backend leads to',
        'take another name',
      );
    if (Object.keys(subset.labels).length === 0)
      host.report('TULLE0204', `/spec/subsets/${i}/labels`, 'a subset needs at least one label');
  }
  if (spec.locality?.prefer === 'None' && spec.locality.failover !== undefined)
    host.report('TULLE0208', '/spec/locality/failover', 'failover means nothing without prefer: Nearest');
  noRepeats(
    host,
    spec.locality?.failover ?? [],
    ({ from }) => from,
    (i) => `/spec/locality/failover/${i}/from`,
    (from) => `region ${from} is there twice; only one can come next`,
  );
  const uses: Readonly<Record<string, readonly string[]>> = {
    RoundRobin: ['slowStart'],
    LeastRequest: ['choices', 'slowStart'],
    PeakEWMA: ['defaultRtt', 'decay'],
    RingHash: ['hashOn', 'minRingSize', 'maxRingSize'],
    Maglev: ['hashOn', 'tableSize'],
  };
  for (const field of Object.keys(spec.balancing ?? {})) {
    if (field !== 'policy' && !(uses[spec.balancing?.policy ?? '']?.includes(field) ?? false))
      host.report(
        'TULLE0208',
        `/spec/balancing/${field}`,
        `${field} means nothing for ${spec.balancing?.policy}`,
      );
  }
}

function checkHashing(balancing: TrafficPolicySpec['balancing'], host: CheckHost): void {
  const { hashOn = [], minRingSize = 1_024, maxRingSize = 65_537, tableSize } = balancing ?? {};
  for (const [i, key] of hashOn.entries()) {
    const at = `/spec/balancing/hashOn/${i}`;
    const fields = Object.keys(key);
    if (fields.length !== 1)
      host.report(
        'TULLE0208',
        at,
        `${fields.length === 0 ? 'an entry has' : `${fields.join(' and ')} stand together; an entry has`} one of header, queryParam, cookie and sourceIp`,
      );
    if (key.cookie?.path !== undefined && key.cookie.ttl === undefined)
      host.report('TULLE0208', `${at}/cookie/path`, 'path means nothing without ttl: no cookie is made up');
  }
  if (minRingSize > maxRingSize)
    host.report(
      'TULLE0204',
      `/spec/balancing/${balancing?.minRingSize === undefined ? 'maxRingSize' : 'minRingSize'}`,
      `minRingSize (${minRingSize}) is more than maxRingSize (${maxRingSize})`,
    );
  if (tableSize !== undefined && !isPrime(tableSize))
    host.report('TULLE0204', '/spec/balancing/tableSize', `${tableSize} is no prime; e.g. 65537 is one`);
}

export function checkFilterPolicy(policy: FilterPolicy, host: CheckHost): void {
  const { spec } = policy;
  checkOneSelection(spec, host);
  checkTargets(spec.targetRefs ?? [], host);
  for (const [i, target] of (spec.targetRefs ?? []).entries()) {
    if (isRouteKind(target.kind) && spec.direction === 'inbound')
      host.report('TULLE0208', '/spec/direction', 'a route is used by callers, so its filters are outbound');
    if (target.kind === 'Service' && target.sectionName !== undefined)
      host.report(
        'TULLE0206',
        `/spec/targetRefs/${i}/sectionName`,
        'sectionName of a Service is not honoured here',
        'remove it; the filter is for all ports',
      );
  }
  if (
    spec.direction !== undefined &&
    spec.targetRefs?.every((t) => t.kind === 'Gateway' || t.kind === 'ListenerSet') === true
  )
    host.report(
      'TULLE0208',
      '/spec/direction',
      'a direction is said of Services; what comes in at a Gateway goes one way',
    );
  if (spec.direction === 'outbound' && spec.targetRefs === undefined)
    host.report(
      'TULLE0208',
      '/spec/direction',
      'outbound needs targetRefs: the Services or routes whose callers get the filter',
    );
  const known = host.filters.get(spec.filter);
  const phase = spec.phase ?? known?.phase ?? 'custom';
  if (phase === 'connection' && (spec.targetRefs ?? []).some((t) => isRouteKind(t.kind)))
    host.report(
      'TULLE0208',
      spec.phase === undefined ? '/spec/filter' : '/spec/phase',
      'a connection filter runs before a route is known; target a Service or a Gateway',
    );
  if (phase === 'connection' && (spec.targetRefs ?? []).some((t) => t.kind === 'ListenerSet'))
    host.report(
      'TULLE0208',
      spec.phase === undefined ? '/spec/filter' : '/spec/phase',
      'a connection filter runs before it is known whose listener a connection is for; target the Gateway',
    );
  if (known === undefined) return;
  if (known.phases !== undefined && !known.phases.includes(phase))
    host.report(
      'TULLE0208',
      spec.phase === undefined ? '/spec/filter' : '/spec/phase',
      `${spec.filter} runs in phase ${known.phases.join(' or ')}, not ${phase}`,
    );
  const issues = known.validate(spec.config ?? {});
  if (issues.length === 0) checkIdentityConfig(policy, host);
  if (spec.filter === LOCAL_REPLIES) checkLocalReplies(spec, issues.length === 0, host);
  for (const issue of issues)
    host.report(
      'TULLE0211',
      `/spec/config${issue.pointer}`,
      issue.message,
      undefined,
      issue.atKey ? 'key' : 'value',
    );
}
