import { createHash } from 'node:crypto';
import type { PathMatch, RouteMatch, SessionPersistence as Model } from '@tulle/model';
import {
  backendTrafficPolicyFor,
  parseDurationMs,
  type RouteRule,
  type SessionPersistence,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { Backend } from './clusters.ts';

/** What holds for sessions, and by what name they go where none is given. */
export interface Sessions {
  readonly persistence: SessionPersistence;
  /** Unique to whom it is for. */
  readonly owner: string;
  /** Whether it is the rule's own: then its cookie is for the rule's path (GEP-1619). */
  readonly ofRule: boolean;
}

/**
 * Sessions of a rule: its own word, or that of the first of its backends which has a policy. They are for all backends of the
 * rule equally, since a session goes before weights (GEP-1619, Traffic Splitting).
 */
export function sessionsOf(
  world: World,
  ruleName: string,
  { sessionPersistence }: RouteRule,
  backends: readonly Backend[],
): Sessions | undefined {
  if (sessionPersistence !== undefined)
    return { persistence: sessionPersistence, owner: ruleName, ofRule: true };
  for (const { service } of backends) {
    const { namespace, name } = service.metadata;
    const policies = world.in('XBackendTrafficPolicy', namespace);
    const policy = backendTrafficPolicyFor(policies, 'sessionPersistence', service.metadata);
    if (policy?.spec.sessionPersistence !== undefined)
      return {
        persistence: policy.spec.sessionPersistence,
        owner: `Service ${namespace}/${name}`,
        ofRule: false,
      };
  }
  return undefined;
}

/** In the words of the model. @param secret 32 hex digits */
export function persistenceOf(
  { persistence, owner, ofRule }: Sessions,
  match: RouteMatch,
  secret: string,
): Model {
  const { type = 'Cookie', sessionName, absoluteTimeout, idleTimeout, cookieConfig } = persistence;
  const own = createHash('sha256').update(owner).digest('hex').slice(0, 8);
  const absoluteTimeoutMs = absoluteTimeout === undefined ? undefined : parseDurationMs(absoluteTimeout);
  const idleTimeoutMs = idleTimeout === undefined ? undefined : parseDurationMs(idleTimeout);
  const path = ofRule && type === 'Cookie' ? cookiePath(match.path) : undefined;
  return {
    kind: type === 'Header' ? 'header' : 'cookie',
    name: sessionName ?? (type === 'Header' ? `x-session-${own}` : `session-${own}`),
    secret,
    ...(absoluteTimeoutMs === undefined ? {} : { absoluteTimeoutMs }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(path === undefined ? {} : { path }),
    ...(cookieConfig?.lifetimeType === 'Permanent' ? { permanent: true } : {}),
  };
}

/** For which paths the cookie is: those that the rule matches; of a pattern, what stands before the first character that is one. */
function cookiePath({ kind, value }: PathMatch): string {
  if (kind !== 'regex') return value === '' || kind === 'connect' ? '/' : value;
  const plain = /^\^?((?:\/[\w~%-]+)*)(?=\/|$)/.exec(value)?.[1] ?? '';
  return plain === '' ? '/' : plain;
}
