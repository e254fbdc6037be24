import { BODY_NONE } from '@tulle/http1';
import { isElementPrefix } from '@tulle/match';
import type { RedirectAction, Rewrite } from '@tulle/model';
import { applyEdits, type CompiledForward, type CompiledRoute } from '../compile/compiled.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { beginDeadline } from '../grpc/grpc-timeout.ts';
import { rescue } from '../rescue.ts';
import type { Stream } from '../stream/stream.ts';
import { recordReply } from './reply.ts';
import { collectsRequest } from './request-steps.ts';
import { carryOutReply } from './response.ts';

/** Does what the matched route says, after all request filters had their say. */
export function act(stream: Stream): void {
  const { route } = stream;
  if (stream.isConnect && !stream.chain.settings.allowConnect)
    return rescue(stream, 'TULLE_UPGRADE_REFUSED', 'connect_not_allowed');
  if (route === undefined) return rescue(stream, 'TULLE_ROUTE_NOT_FOUND');
  if (endsHere(stream)) return;
  const { action } = route;
  switch (action.kind) {
    case 'redirect':
      recordReply(
        stream,
        action.status ?? 302,
        'TULLE_LOCAL_REPLY',
        '',
        ['location', locationOf(stream, route, action)],
        'redirect',
      );
      return finishLocal(stream, route);
    case 'direct':
      recordReply(
        stream,
        action.status,
        action.code ?? 'TULLE_LOCAL_REPLY',
        action.body ?? '',
        undefined,
        undefined,
      );
      return finishLocal(stream, route);
    case 'forward':
      return forward(stream, route, action);
  }
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

function finishLocal(stream: Stream, route: CompiledRoute): void {
  applyEdits(stream.localFields, route.responseEdits);
  carryOutReply(stream);
}

function forward(stream: Stream, route: CompiledRoute, action: CompiledForward): void {
  const { target } = stream;
  if (target === undefined)
    return rescue(stream, 'TULLE_BACKEND_INVALID', 'invalid_backend_ref{weights_sum_to_0}');
  if (!chooseUpgrade(stream, action)) return rescue(stream, 'TULLE_UPGRADE_REFUSED');
  if (action.rewrite !== undefined) rewrite(stream, route, action.rewrite);
  if (target.requestEdits.length > 0) applyEdits(stream.headers, target.requestEdits);
  if (stream.table.requestHeaders !== null) stream.grpc = isGrpcCall(stream);
  if (stream.grpc) beginDeadline(stream, action);
  if (action.idleTimeoutMs >= 0 && action.idleTimeoutMs !== stream.idleTimeoutMs) {
    stream.idleTimeoutMs = action.idleTimeoutMs;
    if (action.idleTimeoutMs > 0) stream.armIdleTimer(action.idleTimeoutMs);
    else stream.idleTimer?.cancel();
  }
  if (collectsRequest(stream) && stream.requestBodyKind !== BODY_NONE) {
    // The endpoint is asked when the body is there; a caller that waits for 100 has to hear it from us.
    if (stream.expectsContinue) {
      stream.expectsContinue = false;
      stream.headers.drop('expect');
      stream.downstream.writeContinue(stream);
    }
    return;
  }
  stream.engine.doors.beginAttempts(stream);
}

/** Protocols that a server may ignore being offered (RFC 9110 §7.8): the request is answered in HTTP/1.1 instead. */
const IGNORED_UPGRADES: ReadonlySet<string> = new Set(['h2c', 'h2', 'http/2.0']);

/** @returns false when the caller asked for a protocol that this route does not let pass */
function chooseUpgrade(stream: Stream, action: CompiledForward): boolean {
  const asked = stream.requestHead.upgrade;
  if (asked === undefined || stream.isConnect || stream.requestBodyKind !== BODY_NONE) return true;
  const allowed: string[] = [];
  let refused = false;
  for (const part of asked.split(',')) {
    const protocol = part.trim();
    const name = protocol.toLowerCase();
    if (action.allowUpgrades.includes(name)) allowed.push(protocol);
    else if (!IGNORED_UPGRADES.has(name) && !name.startsWith('tls/')) refused = true;
  }
  if (allowed.length > 0) stream.upgrade = allowed.join(', ');
  else if (refused) return false;
  return true;
}

function rewrite(stream: Stream, route: CompiledRoute, { host, path }: Rewrite): void {
  stream.matchedPath = stream.path;
  stream.matchedAuthority = stream.authority;
  if (host !== undefined) stream.authority = host;
  if (path !== undefined) stream.path = rewrittenPath(stream.path, route, path);
}

/** Gateway API ReplaceFullPath and ReplacePrefixMatch. */
function rewrittenPath(
  path: string,
  route: CompiledRoute,
  rule: { readonly kind: 'full' | 'prefix'; readonly value: string },
): string {
  if (rule.kind === 'full') return rule.value === '' ? '/' : rule.value;
  const { prefix, bytesPrefix } = route;
  if (bytesPrefix !== undefined && path.startsWith(bytesPrefix)) {
    const replaced = rule.value + path.slice(bytesPrefix.length);
    return replaced.startsWith('/') ? replaced : `/${replaced}`;
  }
  if (prefix === undefined || !isElementPrefix(prefix, path)) return path;
  const rest = path.slice(prefix.length);
  const base = rule.value.endsWith('/') ? rule.value.slice(0, -1) : rule.value;
  if (rest === '' || rest === '/') return base + rest === '' ? '/' : base + rest;
  return rest.startsWith('/') ? base + rest : `${base}/${rest}`;
}

function locationOf(stream: Stream, route: CompiledRoute, action: RedirectAction): string {
  const { connection } = stream.downstream;
  const scheme = action.scheme ?? (connection.tls ? 'https' : 'http');
  const { authority } = stream;
  const colon = authority.lastIndexOf(':');
  const hasPort = colon > authority.lastIndexOf(']') && colon >= 0;
  const host = action.host ?? (hasPort ? authority.slice(0, colon) : authority);
  const askedPort = hasPort ? Number(authority.slice(colon + 1)) : 0;
  // Gateway API: the listener's port, unless a scheme brings its own. A sidecar listens elsewhere than callers asked.
  const ownPort =
    connection.direction !== 'unspecified' || connection.localPort === 0 ? askedPort : connection.localPort;
  const port = action.port ?? (action.scheme === undefined ? ownPort : 0);
  const wellKnown = scheme === 'https' ? 443 : 80;
  const path = action.path === undefined ? stream.path : rewrittenPath(stream.path, route, action.path);
  const query = stream.query === undefined ? '' : `?${stream.query}`;
  return `${scheme}://${host}${port === 0 || port === wellKnown ? '' : `:${port}`}${path}${query}`;
}
