import { recordFailure } from '../chain/reply.ts';
import { carryOutReply } from '../chain/response.ts';
import { SITE_OVERLOAD } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import type { OverloadGate } from './overload-manager.ts';
import { OVERLOAD_RESOURCES, type OverloadSettings } from './options.ts';
import type { Priority } from './priority.ts';

/**
 * Refuses a request while the proxy sheds load, unless it is to be kept: a health check, a protected caller, a route that
 * answers by itself (which costs no more), a priority that is not due yet. Asked before any filter ran, so that a refusal
 * costs little. @returns whether the stream was answered
 */
export function refuse(stream: Stream, overload: OverloadGate): boolean {
  const { settings } = overload;
  if (!overload.shedding || settings === undefined) return false;
  if (stream.chain.internal || stream.chain.bypassesOverload) return false;
  const { peerIdentity } = stream.downstream.connection;
  if (peerIdentity !== undefined && settings.protectedIdentities.has(peerIdentity)) return false;
  if (settings.healthCheckPaths.has(stream.path)) return false;
  const priority = priorityOf(stream, settings);
  if (!overload.refuses(priority, stream.startMs)) return false;
  overload.refused[priority].add();
  const { cause } = overload;
  stream.note(
    SITE_OVERLOAD,
    OVERLOAD_RESOURCES.indexOf(cause),
    Math.min(Math.round(overload.pressureOf(cause) * 100), 1_000_000),
  );
  recordFailure(stream, 'TULLE_OVERLOADED', `overload{${cause}}`);
  stream.localFields.add('retry-after', settings.retryAfter);
  carryOutReply(stream);
  return true;
}

/** What the route says, unless the request says otherwise for itself; `critical` only a route can be. */
function priorityOf(stream: Stream, { priorityHeader }: OverloadSettings): Priority {
  const route = stream.chain.matcher.match(stream);
  if (route !== undefined && route.action.kind === 'direct') return 'critical';
  const ofRoute = route?.priority ?? 'default';
  if (ofRoute === 'critical' || !stream.headers.has(priorityHeader)) return ofRoute;
  const lines = stream.headers.getAll(priorityHeader);
  const said = lines.length === 1 ? lines[0] : undefined;
  return said === 'low' || said === 'default' || said === 'high' ? said : ofRoute;
}
