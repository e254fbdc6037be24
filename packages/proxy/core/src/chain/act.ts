import { BODY_NONE } from '@tulle/http1';
import { hostOf, isPrivateAddress, portOf } from '@tulle/match';
import type {
  CompiledDirect,
  CompiledForward,
  CompiledRedirect,
  CompiledRoute,
} from '../compile/compiled.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { beginDeadline } from '../grpc/grpc-timeout.ts';
import { rescue } from '../rescue.ts';
import type { Stream } from '../stream/stream.ts';
import { obeyControls } from './caller-controls.ts';
import { tellOperation } from './decorator.ts';
import { editFields } from './edits.ts';
import { recordReply } from './reply.ts';
import { rewrite, rewrittenPath } from './rewrite.ts';
import { collectsRequest } from './body-steps.ts';
import { carryOutReply } from './response.ts';

/** Does what the matched route says, after all request filters had their say. */
export function act(stream: Stream): void {
  // Filters that collect the body have not had it yet: an answer of this proxy waits for it, as an endpoint's would.
  if (stream.table.requestBuffered && stream.route?.action.kind !== 'forward' && awaitsBody(stream)) return;
  carryOut(stream);
}

/** The body that filters collect is there, or as much of it as they want. */
export function actOnBody(stream: Stream): void {
  if (stream.route?.action.kind === 'forward') stream.engine.doors.beginAttempts(stream);
  else carryOut(stream);
}

function carryOut(stream: Stream): void {
  const { route } = stream;
  if (stream.isConnect && !allowsConnect(stream))
    return rescue(stream, 'TULLE_UPGRADE_REFUSED', 'connect_not_allowed');
  if (route === undefined) return rescue(stream, 'TULLE_ROUTE_NOT_FOUND');
  if (endsHere(stream)) return;
  const { action } = route;
  if (route.requireTls !== undefined && needsTls(stream, route.requireTls)) return toHttps(stream);
  switch (action.kind) {
    case 'redirect': {
      const location = locationOf(stream, route, action);
      if (location === '') return refuseRewritten(stream);
      recordReply(stream, action.status ?? 302, 'TULLE_LOCAL_REPLY', '', ['location', location], 'redirect');
      return finishLocal(stream, route);
    }
    case 'direct':
      recordReply(
        stream,
        action.status,
        action.code ?? 'TULLE_LOCAL_REPLY',
        directBody(stream, action),
        action.format && ['content-type', action.format.contentType],
        undefined,
      );
      return finishLocal(stream, route);
    case 'forward':
      return forward(stream, route, action);
  }
}

function directBody(stream: Stream, { body = '', format }: CompiledDirect): string {
  return format === undefined
    ? body
    : stream.engine.recorder.describe(stream, (record) => format.render(record, body));
}

function allowsConnect({ route, chain }: Stream): boolean {
  const action = route?.action;
  return action?.kind === 'forward' ? action.allowConnect : chain.settings.allowConnect;
}

/**
 * TRACE and OPTIONS may say how many hops they take (RFC 9110 §7.6.2): at 0 this one is the last and answers itself,
 * else there is one less to go. @returns whether it is answered
 */
function endsHere(stream: Stream): boolean {
  const { method, headers } = stream;
  if ((method !== 'TRACE' && method !== 'OPTIONS') || !headers.has('max-forwards')) return false;
  const lines = headers.getAll('max-forwards');
  const text = lines.length === 1 ? (lines[0] as string) : '';
  if (!/^\d{1,15}$/.test(text)) return false; // says nothing that could be obeyed
  const hops = Number(text);
  if (hops > 0) {
    headers.put('max-forwards', String(hops - 1));
    return false;
  }
  // Nothing of the request is shown: a proxy's TRACE would show what hops before it had added.
  const status = method === 'OPTIONS' ? 204 : 405;
  recordReply(stream, status, 'TULLE_LOCAL_REPLY', '', ['allow', 'OPTIONS'], 'max_forwards');
  carryOutReply(stream);
  return true;
}

/** Whether the request came in plain text and this kind of caller is to come by TLS. */
function needsTls(stream: Stream, whom: 'all' | 'external'): boolean {
  if (stream.scheme === 'https') return false;
  if (whom === 'all') return true;
  if (stream.chain.settings.forwarding !== undefined)
    return stream.headers.get('x-envoy-internal') !== 'true';
  return !isPrivateAddress(stream.clientAddress || stream.downstream.connection.remoteAddress);
}

/** The same place by HTTPS (Envoy `VirtualHost.require_tls`). */
function toHttps(stream: Stream): void {
  const { authority, query } = stream;
  const location = `https://${hostOf(authority)}${stream.path}${query === undefined ? '' : `?${query}`}`;
  recordReply(stream, 301, 'TULLE_LOCAL_REPLY', '', ['location', location], 'tls_required');
  carryOutReply(stream);
}

function finishLocal(stream: Stream, route: CompiledRoute): void {
  editFields(stream, stream.localFields, route.responseEdits);
  carryOutReply(stream);
}

function forward(stream: Stream, route: CompiledRoute, action: CompiledForward): void {
  const { target } = stream;
  if (target === undefined)
    return action.byHeader === undefined
      ? rescue(stream, 'TULLE_BACKEND_INVALID', 'invalid_backend_ref{weights_sum_to_0}')
      : rescue(stream, action.notFound, 'cluster_not_found');
  if (
    action.connect !== null &&
    (stream.isConnect || (action.connect.post === true && stream.method === 'POST'))
  )
    stream.toBytes = true;
  // By the request as it came, before anything of it is rewritten.
  if (route.countersOf !== undefined) stream.counters = route.countersOf(stream);
  if (!chooseUpgrade(stream, action.allowUpgrades)) return rescue(stream, 'TULLE_UPGRADE_REFUSED');
  const { callerControls } = stream.chain.settings;
  if (callerControls !== undefined && !obeyControls(stream, target, callerControls)) return;
  if (stream.chain.settings.decorates === 'endpoint') tellOperation(stream, stream.headers);
  // Before the target is rewritten, as in Envoy: values show what was asked for, and rewrites what was put.
  if (target.requestEdits.length > 0) editFields(stream, stream.headers, target.requestEdits);
  if (action.rewrite !== undefined || target.host !== '') {
    if (!rewrite(stream, route, action.rewrite, target.host)) return refuseRewritten(stream);
  }
  if (action.maxStreamDurationMs >= 0) limitDuration(stream, action.maxStreamDurationMs);
  if (action.maxReplayBytes >= 0) stream.maxReplayBytes = action.maxReplayBytes;
  if (stream.table.requestHeaders !== null) stream.grpc = isGrpcCall(stream);
  if (stream.grpc) beginDeadline(stream, action);
  if (action.idleTimeoutMs >= 0 && action.idleTimeoutMs !== stream.idleTimeoutMs) {
    stream.idleTimeoutMs = action.idleTimeoutMs;
    if (action.idleTimeoutMs > 0) stream.armIdleTimer(action.idleTimeoutMs);
    else stream.idleTimer?.cancel();
  }
  if (!awaitsBody(stream)) stream.engine.doors.beginAttempts(stream);
}

/** Whether filters collect the body before anybody is asked. A caller that waits for 100 has to hear it from us then. */
function awaitsBody(stream: Stream): boolean {
  if (!collectsRequest(stream) || stream.requestBodyKind === BODY_NONE) return false;
  if (stream.expectsContinue) {
    stream.expectsContinue = false;
    stream.headers.drop('expect');
    stream.downstream.writeContinue(stream);
  }
  return true;
}

/** The route's word takes the place of its listener's. */
function limitDuration(stream: Stream, maxMs: number): void {
  const passedMs = stream.engine.turn.nowMs - stream.startMs;
  if (maxMs > 0) stream.armDurationTimer(Math.max(0, maxMs - passedMs));
  else stream.durationTimer?.cancel();
}

/** Protocols that a server may ignore being offered (RFC 9110 §7.8): the request is answered in HTTP/1.1 instead. */
const IGNORED_UPGRADES: ReadonlySet<string> = new Set(['h2c', 'h2', 'http/2.0']);

/**
 * Chooses the protocols that the caller asks an endpoint for, of those that the route lets pass. @returns whether it lets none of them
 * pass: then no filter is asked
 */
export function refusesUpgrade(stream: Stream): boolean {
  const action = stream.route?.action;
  return action?.kind === 'forward' && !chooseUpgrade(stream, action.allowUpgrades);
}

/** @returns false when the caller asked for a protocol that this route does not let pass */
function chooseUpgrade(stream: Stream, allowUpgrades: readonly string[]): boolean {
  const asked = stream.requestHead.upgrade;
  if (asked === undefined || stream.isConnect || stream.requestBodyKind !== BODY_NONE) return true;
  // What another route let pass this one may not.
  stream.upgrade = undefined;
  const allowed: string[] = [];
  let refused = false;
  for (const part of asked.split(',')) {
    const protocol = part.trim();
    const name = protocol.toLowerCase();
    if (allowUpgrades.includes(name)) allowed.push(protocol);
    else if (!IGNORED_UPGRADES.has(name) && !name.startsWith('tls/')) refused = true;
  }
  if (allowed.length > 0) stream.upgrade = allowed.join(', ');
  else if (refused) return false;
  return true;
}

/** What the route makes of the path is no path. */
function refuseRewritten(stream: Stream): void {
  rescue(stream, 'TULLE_PATH_REFUSED', 'path_normalization_failed{rewrite}');
}

/** @returns `''` where no path comes out */
function locationOf(stream: Stream, route: CompiledRoute, action: CompiledRedirect): string {
  const asked = stream.scheme;
  const scheme = action.scheme ?? asked;
  const { authority } = stream;
  const named = action.host ?? authority;
  // One port is said: the redirect's own, where it has one.
  const host = action.host === undefined || typeof action.port === 'number' ? hostOf(named) : named;
  const port = redirectPort(stream, action, asked);
  const wellKnown = WELL_KNOWN[scheme] ?? 80;
  const path = action.path === undefined ? stream.path : rewrittenPath(stream, route, action.path);
  if (path === '') return '';
  const ownQuery = path.includes('?');
  const query =
    stream.query === undefined || action.stripQuery === true || ownQuery ? '' : `?${stream.query}`;
  const showsPort = port !== 0 && (action.port === 'asked' || port !== wellKnown);
  return `${scheme}://${host}${showsPort ? `:${port}` : ''}${path}${query}`;
}

const WELL_KNOWN: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** 0: none is said. */
function redirectPort(stream: Stream, { port, host, scheme }: CompiledRedirect, asked: string): number {
  const askedPort = portOf(stream.authority);
  if (port === 'asked') {
    if (host !== undefined) return 0;
    return scheme !== undefined && scheme !== asked && askedPort === WELL_KNOWN[asked] ? 0 : askedPort;
  }
  if (port !== undefined) return port;
  if (scheme !== undefined) return 0;
  // Gateway API: the listener's port, unless a scheme brings its own. A sidecar listens elsewhere than callers asked.
  const { direction, localPort } = stream.downstream.connection;
  return direction !== 'unspecified' || localPort === 0 ? askedPort : localPort;
}
