import { RETRY_FILTER } from '@tulle/model';
import type {
  FilterConfigs,
  ForwardAction,
  Mirror,
  Route as ModelRoute,
  RouteConfig,
  RouteDecorator,
  RoutePriority,
  VirtualHost as ModelVirtualHost,
} from '@tulle/model';
import type { RouteConfiguration } from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type Route,
  type VirtualHost,
  VirtualHost_TlsRequirementType as TlsRequirement,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { TULLE_METADATA } from '../wire.ts';
import { readSource } from './config-source.ts';
import { decodePersistence } from './session-persistence.ts';
import type { DecodeContext } from './context.ts';
import { readExtras, type Extras } from './extras.ts';
import { decodeOlderCors } from './cors.ts';
import { decodeEditsOf } from './edits-of.ts';
import { decodeOverrides } from './filters.ts';
import { decodeHeaderCondition, decodeRouteMatch } from './matchers.ts';
import { takeOnDemand } from './on-demand.ts';
import { decodeRateLimits } from './rate-limit-actions.ts';
import { decodeHostHeader } from './host-header.ts';
import { decodeFacts } from './route-facts.ts';
import { decodeRetry, decodeAttempts, type RetryAttempts } from './retry.ts';
import { type ForwardProxyHost, takeForwardProxyHost } from './forward-proxy-host.ts';
import { decodeMatcher } from './route-choice.ts';
import { decodeDirectResponse, decodeForward, decodeMirrors, decodeRedirect } from './route-action.ts';
import { decodeRouteTracing } from './tracing.ts';
import { filled, present } from './values.ts';

/** @param path of the message, `''` when it is a resource of its own */
export function decodeRouteConfig(
  context: DecodeContext,
  config: RouteConfiguration,
  path: string,
): RouteConfig {
  const base = path === '' ? '' : `${path}.`;
  if (config.validateClusters === true)
    context.refuse(`${base}validate_clusters`, 'must be false; a route to an unknown cluster answers 503');
  if (config.ignorePortInHostMatching) {
    for (const [index, { domains }] of config.virtualHosts.entries()) {
      const withPort = domains.find((domain) => /^[^:]*:\d+$|\]:\d+$/.test(domain));
      if (withPort !== undefined)
        context.refuse(
          `${base}virtual_hosts[${index}].domains`,
          `"${withPort}" has a port, and ignore_port_in_host_matching is set`,
        );
    }
  }
  checkUnique(
    context,
    config.virtualHosts.map(({ name }) => name),
    `${base}virtual_hosts`,
    'virtual host',
  );
  const edits = decodeEditsOf(context, config, path);
  const here = `${base}typed_per_filter_config`;
  const { overrides, onDemand } = takeOnDemand(context, config.typedPerFilterConfig, here);
  const around: Around = {
    mirrors: decodeMirrors(context, config.requestMirrorPolicies, path),
    maxBodyBytes: config.maxDirectResponseBodySizeBytes,
    onDemand,
  };
  if (config.vhds) noteHosts(context, config, onDemand, path);
  const decoded: RouteConfig = present({
    name: config.name,
    virtualHosts: config.virtualHosts.map((host, index) =>
      decodeVirtualHost(context, host, around, `${base}virtual_hosts[${index}]`),
    ),
    ...edits,
    internalOnlyHeaders: filled(config.internalOnlyHeaders),
    filterConfigs: decodeOverrides(context, overrides, here),
    comparesPorts: comparesPorts(context, config, path),
    hostHeader: decodeHostHeader(context, config, base),
    ignoresPathParameters: config.ignorePathParametersInPathMatching ? true : undefined,
    discoversHosts: config.vhds ? true : undefined,
  });
  // Where fields are edited in one place only, the order of places means nothing.
  const maySayTwice = config.vhds !== undefined || editsTwice(decoded);
  return config.mostSpecificHeaderMutationsWins || !maySayTwice
    ? decoded
    : { ...decoded, headerOrder: 'specific-first' };
}

/** Whether a port is part of what domains are compared with; where there is `*` alone, that is all the same. */
function comparesPorts(
  context: DecodeContext,
  { ignorePortInHostMatching, metadata, virtualHosts, vhds }: RouteConfiguration,
  path: string,
): true | undefined {
  const extras = readExtras(context, metadata, path);
  const anyPort = extras.flag('anyPort');
  extras.end();
  if (ignorePortInHostMatching || anyPort === true) return undefined;
  return vhds !== undefined || virtualHosts.some(({ domains }) => domains.some((one) => one !== '*'))
    ? true
    : undefined;
}

/** Virtual hosts that are discovered are known by the name of their routes, and translated by themselves. */
function noteHosts(
  context: DecodeContext,
  config: RouteConfiguration,
  onDemand: ForwardAction['onDemand'],
  path: string,
): void {
  const base = path === '' ? '' : `${path}.`;
  const at = `${base}vhds`;
  if (path !== '')
    context.refuse(
      at,
      'must be in a route configuration that is discovered itself, by whose name it is asked for',
    );
  if (config.requestMirrorPolicies.length > 0)
    context.refuse(`${base}request_mirror_policies`, 'must be in the virtual hosts, where vhds is set');
  if (config.maxDirectResponseBodySizeBytes !== undefined)
    context.refuse(`${base}max_direct_response_body_size_bytes`, 'must not be set beside vhds');
  if (onDemand !== undefined)
    context.refuse(
      `${base}typed_per_filter_config`,
      'must speak of the on_demand filter in the virtual hosts, where vhds is set',
    );
  const read = readSource(context, config.vhds?.configSource, `${at}.config_source`);
  if (!read) return;
  const { source } = read;
  if (source.kind !== 'ads' && (source.kind !== 'grpc' || source.api !== 'delta'))
    context.refuse(
      `${at}.config_source`,
      'must be ads or DELTA_GRPC (Envoy, "Virtual Host Discovery Service")',
    );
  context.need({ kind: 'virtual-host', name: config.name, ...read });
}

/** A virtual host that is a resource of its own. */
export function decodeDiscoveredHost(context: DecodeContext, host: VirtualHost): ModelVirtualHost {
  return decodeVirtualHost(
    context,
    host,
    { mirrors: undefined, maxBodyBytes: undefined, onDemand: undefined },
    '',
  );
}

/** What a route takes from what it stands in, where it says nothing itself. */
interface Around {
  readonly mirrors: readonly Mirror[] | undefined;
  /** Of its virtual host's retry policy. */
  readonly attempts?: RetryAttempts;
  readonly maxReplayBytes?: number | undefined;
  /** The same by its newer field, which goes before the older one wherever that stands. */
  readonly maxBufferedBytes?: number | undefined;
  /** Of direct responses; `undefined`: they are as long as they are. */
  readonly maxBodyBytes: number | undefined;
  readonly onDemand: ForwardAction['onDemand'];
}

/** Whether fields of some request or response are edited in several places. */
function editsTwice(config: RouteConfig): boolean {
  const edits = ({ requestHeaders, responseHeaders }: EditsFields): boolean =>
    requestHeaders !== undefined || responseHeaders !== undefined;
  return config.virtualHosts.some((host) =>
    host.routes.some((route) => {
      const { action } = route;
      const backends = action.kind === 'forward' && action.clusters.some(edits);
      return [edits(config), edits(host), edits(route), backends].filter(Boolean).length > 1;
    }),
  );
}

type EditsFields = Pick<RouteConfig, 'requestHeaders' | 'responseHeaders'>;

function checkUnique(context: DecodeContext, names: readonly string[], path: string, what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name !== '' && seen.has(name)) context.refuse(path, `holds two ${what}s named "${name}"`);
    seen.add(name);
  }
}

const TLS_FOR: ReadonlyMap<TlsRequirement, 'all' | 'external'> = new Map([
  [TlsRequirement.ALL, 'all'],
  [TlsRequirement.EXTERNAL_ONLY, 'external'],
]);

function decodeVirtualHost(
  context: DecodeContext,
  host: VirtualHost,
  outer: Around,
  place: string,
): ModelVirtualHost {
  const base = place === '' ? '' : `${place}.`;
  const retry = decodeRetry(context, host.retryPolicy, {}, `${base}retry_policy`);
  const here = `${base}typed_per_filter_config`;
  const { overrides, onDemand } = takeOnDemand(context, host.typedPerFilterConfig, here);
  const around: Around = {
    ...outer,
    mirrors: decodeMirrors(context, host.requestMirrorPolicies, place) ?? outer.mirrors,
    onDemand: onDemand ?? outer.onDemand,
    attempts: decodeAttempts(context, host.retryPolicy, `${base}retry_policy`),
    ...decodeBufferLimit(context, host, base),
  };
  const { includeRequestAttemptCount: request, includeAttemptCountInResponse: response } = host;
  return present({
    name: host.name,
    domains: host.domains,
    rateLimits: decodeRateLimits(context, host.rateLimits, `${base}rate_limits`),
    ...decodeRoutes(context, host, around, base),
    ...decodeEditsOf(context, host, place),
    requireTls: TLS_FOR.get(host.requireTls),
    virtualClusters: decodeVirtualClusters(context, host, `${base}virtual_clusters`),
    tellsTimeoutRetry: host.includeIsTimeoutRetryHeader ? true : undefined,
    attemptCount:
      request || response ? { ...(request && { request }), ...(response && { response }) } : undefined,
    filterConfigs: merged(
      merged(retry && { [RETRY_FILTER]: retry }, decodeOlderCors(context, host.cors, `${base}cors`)),
      decodeOverrides(context, overrides, here),
    ),
  });
}

function decodeVirtualClusters(
  context: DecodeContext,
  { virtualClusters }: VirtualHost,
  path: string,
): ModelVirtualHost['virtualClusters'] {
  return filled(
    virtualClusters.map(({ name, headers }, index) => {
      if (name === '') context.refuse(`${path}[${index}].name`, 'is missing');
      if (headers.length === 0) context.refuse(`${path}[${index}].headers`, 'is empty');
      return {
        name,
        headers: headers.map((one, at) =>
          decodeHeaderCondition(context, one, false, `${path}[${index}].headers[${at}]`),
        ),
      };
    }),
  );
}

function decodeRoutes(
  context: DecodeContext,
  { routes, matcher }: VirtualHost,
  around: Around,
  base: string,
): Pick<ModelVirtualHost, 'routes' | 'choice'> {
  const read = (route: Route, path: string): ModelRoute => decodeRoute(context, route, around, path);
  if (matcher === undefined)
    return { routes: routes.map((route, index) => read(route, `${base}routes[${index}]`)) };
  if (routes.length > 0) context.refuse(`${base}routes`, 'must not stand beside matcher');
  return decodeMatcher(context, matcher, read, `${base}matcher`);
}

/** What the policy fields say, and above it what the filter configs say. */
function merged(
  implied: FilterConfigs | undefined,
  given: FilterConfigs | undefined,
): FilterConfigs | undefined {
  const both = { ...implied, ...given };
  return Object.keys(both).length > 0 ? both : undefined;
}

function decodeRoute(context: DecodeContext, route: Route, around: Around, path: string): ModelRoute {
  const extras = readExtras(context, route.metadata, path);
  const notes = {
    query: extras.list('invertedQuery') ?? [],
    headers: extras.list('invertedHeaders') ?? [],
    joinsWithoutSlash: joinsWithoutSlash(route),
  };
  const match = {
    ...decodeRouteMatch(context, route.match, notes, `${path}.match`),
    ...decodeFacts(context, route.match, `${path}.match`),
  };
  const here = `${path}.typed_per_filter_config`;
  const { overrides: left, onDemand } = takeOnDemand(context, route.typedPerFilterConfig, here);
  const { host, overrides: given } = takeForwardProxyHost(context, left, here);
  const own = { ...around, onDemand: onDemand ?? around.onDemand };
  const { action, overrides } = decodeAction(context, route, extras, own, path);
  const priority = decodePriority(context, extras.text('priority'), path);
  extras.end();
  return present({
    name: route.name,
    match,
    action: host === undefined ? action : withHost(context, action, host, here),
    priority,
    statPrefix: route.statPrefix === '' ? undefined : route.statPrefix,
    decorator: decodeDecorator(context, route, `${path}.decorator`),
    tracing: decodeRouteTracing(context, route.tracing, `${path}.tracing`),
    metadata: decodeNotes(route.metadata),
    ...decodeEditsOf(context, route, path),
    filterConfigs: merged(overrides, decodeOverrides(context, given, here)),
  });
}

/** What stands in the namespaces of others. */
function decodeNotes(metadata: Route['metadata']): ModelRoute['metadata'] {
  const notes = Object.entries(metadata?.filterMetadata ?? {}).filter(([name]) => name !== TULLE_METADATA);
  return notes.length === 0 ? undefined : Object.fromEntries(notes);
}

/** The two words for how much of a request's body is kept. @param base of the paths, with its dot */
function decodeBufferLimit(
  context: DecodeContext,
  { perRequestBufferLimitBytes, requestBodyBufferLimit }: Route | VirtualHost,
  base: string,
): Pick<Around, 'maxReplayBytes' | 'maxBufferedBytes'> {
  if (requestBodyBufferLimit !== undefined && requestBodyBufferLimit > 0xffff_ffffn)
    context.refuse(
      `${base}request_body_buffer_limit`,
      `must be at most 4294967295, but is ${requestBodyBufferLimit}`,
    );
  return {
    maxReplayBytes: perRequestBufferLimitBytes,
    maxBufferedBytes: requestBodyBufferLimit === undefined ? undefined : Number(requestBodyBufferLimit),
  };
}

function decodeDecorator(
  context: DecodeContext,
  { decorator }: Route,
  path: string,
): RouteDecorator | undefined {
  if (decorator === undefined) return undefined;
  const { operation, propagate } = decorator;
  if (operation === '') context.refuse(`${path}.operation`, 'is missing');
  return { operation, ...(propagate === false && { propagate }) };
}

/** Envoy puts `prefix_rewrite` before the bytes that follow the prefix, whatever they are. */
function joinsWithoutSlash({ action: { case: kind, value } }: Route): boolean {
  const put =
    kind === 'route'
      ? value.prefixRewrite
      : kind === 'redirect' && value.pathRewriteSpecifier.case === 'prefixRewrite'
        ? value.pathRewriteSpecifier.value
        : '';
  return put !== '' && !put.endsWith('/');
}

function withHost(
  context: DecodeContext,
  action: ModelRoute['action'],
  host: NonNullable<ForwardProxyHost['host']>,
  path: string,
): ModelRoute['action'] {
  if (action.kind !== 'forward') return action;
  if ((action.rewrite?.host ?? action.rewrite?.hostFrom) !== undefined)
    context.refuse(path, 'must not rewrite the host for a forward proxy beside a host rewrite of the route');
  return { ...action, rewrite: { ...action.rewrite, ...host } };
}

function decodePriority(
  context: DecodeContext,
  said: string | undefined,
  path: string,
): RoutePriority | undefined {
  const priority = PRIORITIES.find((one) => one === said);
  if (said !== undefined && priority === undefined)
    context.refuse(path, `priority must be ${PRIORITIES.join(', ')}, but is ${JSON.stringify(said)}`);
  return priority;
}

const PRIORITIES: readonly RoutePriority[] = ['low', 'default', 'high', 'critical'];

function decodeAction(
  context: DecodeContext,
  route: Route,
  extras: Extras,
  around: Around,
  path: string,
): { action: ModelRoute['action']; overrides?: FilterConfigs } {
  // Each is asked for whatever the action is, so that it is known, and heeded where it means something.
  const code = extras.text('code');
  const ownRetry = { on: extras.list('retryOn'), backoffMinMs: extras.number('retryBackoffMinMs') };
  const isBoundTwice = extras.flag('requestTimeoutHolds') === true;
  const redirectPort = extras.text('redirectPort');
  const trustIdempotencyKey = extras.flag('trustIdempotencyKey');
  const persistence = decodePersistence(context, extras, path);
  const { action } = route;
  const own = decodeBufferLimit(context, route, `${path}.`);
  switch (action.case) {
    case 'route': {
      const decoded = decodeForward(
        context,
        action.value,
        { retry: ownRetry, isBoundTwice },
        `${path}.route`,
      );
      const { retryPolicy } = action.value;
      const forward = {
        ...decoded,
        action: present({
          ...decoded.action,
          trustIdempotencyKey,
          persistence,
          mirrors: decoded.action.mirrors ?? around.mirrors,
          // A route's own policy takes the place of its virtual host's, whole.
          ...(retryPolicy === undefined && around.attempts),
          maxReplayBytes:
            own.maxBufferedBytes ?? around.maxBufferedBytes ?? own.maxReplayBytes ?? around.maxReplayBytes,
          onDemand: around.onDemand,
        }),
      };
      const overrides = merged(
        forward.overrides,
        decodeOlderCors(context, action.value.cors, `${path}.route.cors`),
      );
      return { action: forward.action, ...(overrides && { overrides }) };
    }
    case 'redirect':
      return { action: decodeRedirect(context, action.value, redirectPort, `${path}.redirect`) };
    case 'directResponse': {
      const direct = decodeDirectResponse(context, action.value, code, `${path}.direct_response`);
      const bytes = Buffer.byteLength(direct.body ?? '');
      if (around.maxBodyBytes !== undefined && bytes > around.maxBodyBytes)
        context.refuse(
          `${path}.direct_response.body`,
          `has ${bytes} bytes, more than max_direct_response_body_size_bytes (${around.maxBodyBytes})`,
        );
      return { action: direct };
    }
    // Of filters that come with Envoy none answers in their place, so that its router finds no cluster.
    case 'nonForwardingAction':
    case 'filterAction':
      return { action: { kind: 'direct', status: 503, code: 'TULLE_CLUSTER_NOT_FOUND' } };
    case undefined:
      context.refuse(path, 'names no action: give route, redirect or direct_response');
      return { action: { kind: 'direct', status: 500 } };
  }
}
