import type { XdsServerEvent } from '@tulle/xds-server';
import type { Generation } from './generations.ts';
import type { Answer } from './judge.ts';

const TYPE = 'type.googleapis.com/envoy.config.';
const LISTENER = `${TYPE}listener.v3.Listener`;
const ROUTE = `${TYPE}route.v3.RouteConfiguration`;
const CLUSTER = `${TYPE}cluster.v3.Cluster`;

/** How a server had one client take one generation after another: what was answered when, and when clusters were taken away. */
export interface Handover {
  /** Told of everything that happens on the server's streams to that client. */
  note(event: XdsServerEvent): void;
  /** Forgets what was, before the next generation. */
  begin(): void;
  /** Where the server took a cluster away while the client had not answered what points at clusters. */
  faults(): readonly string[];
  /**
   * Whether an answer is one that no order of a server's avoids: a connection that came to a listener before that was replaced
   * keeps the listener's routes, which are no longer anybody's to change, and a request on it that is read after the cluster is
   * gone is answered 503 (Envoy, "Draining": flag `NC`). Seen where a TLS handshake takes as long as the change does.
   *
   * It is one only when the listener has routes of another name in `next`, the answer has the routes of `previous` and no body,
   * their cluster is not in `next`, and all of this happened in this order: the connection was begun, the client answered that
   * it has the new listener and its routes, the server took the cluster away.
   * @param beganMs when the connection was begun, on the clock of {@link createHandover}
   */
  leftBehind(answer: Answer, beganMs: number, previous: Generation, next: Generation): boolean;
}

/** @param now milliseconds from any beginning */
export function createHandover(now: () => number): Handover {
  /** When the client took each listener and route configuration, by type and name. */
  const takenMs = new Map<string, number>();
  const removedMs = new Map<string, number>();
  const unanswered = new Map<string, string>();
  const faults: string[] = [];

  return {
    note(event) {
      if (!('typeUrl' in event)) return;
      const { kind, typeUrl, nonce, resources, removed } = event;
      if (typeUrl === CLUSTER && kind === 'sent') {
        if (removed.length > 0 && unanswered.size > 0)
          faults.push(
            `${removed.join(', ')} taken away while ${[...unanswered.values()].join(' and ')} is unanswered`,
          );
        for (const name of removed) removedMs.set(name, now());
      }
      if (typeUrl !== LISTENER && typeUrl !== ROUTE) return;
      if (kind === 'sent') unanswered.set(nonce, `${typeUrl.slice(TYPE.length)} ${resources.join(', ')}`);
      else unanswered.delete(nonce);
      if (kind === 'acked') for (const name of resources) takenMs.set(`${typeUrl} ${name}`, now());
    },
    begin() {
      takenMs.clear();
      removedMs.clear();
      faults.length = 0;
    },
    faults: () => faults,
    leftBehind({ listener, path, status, routes, origin }, beganMs, previous, next) {
      const before = previous.answers.get(listener);
      const after = next.answers.get(listener);
      if (status !== 503 || origin !== '' || !before || !after || before.routes !== routes) return false;
      if (before.routeName === after.routeName) return false;
      const cluster = before.clusters.get(path) ?? '';
      const goneMs = removedMs.get(cluster);
      const listenerMs = takenMs.get(`${LISTENER} listener-${listener}`);
      const routesMs = takenMs.get(`${ROUTE} ${after.routeName}`);
      if (next.origins.has(cluster) || goneMs === undefined) return false;
      if (listenerMs === undefined || routesMs === undefined) return false;
      const replacedMs = Math.max(listenerMs, routesMs);
      return beganMs < replacedMs && replacedMs <= goneMs;
    },
  };
}
