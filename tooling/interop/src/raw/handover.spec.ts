import type { XdsServerEvent } from '@tulle/xds-server';
import { describe, expect, it } from 'vitest';
import type { Generation } from './generations.ts';
import { createHandover, type Handover } from './handover.ts';
import { type Answer, askUntil } from './judge.ts';

const TYPE = 'type.googleapis.com/envoy.config.';
const LISTENER = `${TYPE}listener.v3.Listener`;
const ROUTE = `${TYPE}route.v3.RouteConfiguration`;
const CLUSTER = `${TYPE}cluster.v3.Cluster`;

function generation(version: string, routeName: string, cluster: string): Generation {
  return {
    version,
    resources: [],
    changes: [],
    answers: new Map([[2, { routes: `of ${version}`, routeName, clusters: new Map([['/', cluster]]) }]]),
    origins: new Map([[cluster, new Set(['127.0.0.1:80'])]]),
  };
}

const PREVIOUS = generation('g1', 'routes-1', 'old');
const NEXT = generation('g2', 'routes-2', 'new');
const LEFT: Answer = { listener: 2, path: '/', status: 503, routes: 'of g1', origin: '' };

let nonces = 0;
const sent = (typeUrl: string, resources: string[], removed: string[] = []): XdsServerEvent => ({
  kind: 'sent',
  node: 'envoy',
  typeUrl,
  version: 'g2',
  nonce: String(++nonces),
  resources,
  removed,
});
const acked = (event: XdsServerEvent): XdsServerEvent => ({ ...event, kind: 'acked' }) as XdsServerEvent;

/** What is to happen, each a millisecond after the one before; the first at 1. */
function after(...events: readonly XdsServerEvent[]): Handover {
  let nowMs = 0;
  const handover = createHandover(() => nowMs);
  handover.begin();
  for (const event of events) {
    nowMs++;
    handover.note(event);
  }
  return handover;
}

const listener = sent(LISTENER, ['listener-2', 'listener-0']);
const routes = sent(ROUTE, ['routes-2']);
const removal = sent(CLUSTER, ['new'], ['old']);
/** Taken whole at 4, the cluster gone at 5. */
const IN_ORDER = [listener, acked(listener), routes, acked(routes), removal];

describe('a connection of the listener before', () => {
  it('may find its cluster gone where it was begun before the client had the new listener and its routes', () => {
    const handover = after(...IN_ORDER);
    expect(handover.leftBehind(LEFT, 0, PREVIOUS, NEXT)).toBe(true);
    expect(handover.leftBehind(LEFT, 3.9, PREVIOUS, NEXT)).toBe(true);
    expect(handover.leftBehind(LEFT, 4, PREVIOUS, NEXT)).toBe(false);
    expect(handover.faults()).toEqual([]);
  });

  it.each<[string, Partial<Answer>]>([
    ['another status', { status: 404 }],
    ['routes that are not those of before', { routes: 'of g2' }],
    ['a body', { origin: 'no healthy upstream' }],
    ['a path of nobody', { path: '/else' }],
    ['another listener', { listener: 1 }],
  ])('is not taken for one with %s', (_, changed) => {
    expect(after(...IN_ORDER).leftBehind({ ...LEFT, ...changed }, 0, PREVIOUS, NEXT)).toBe(false);
  });

  it('is none where the routes keep their name: they change for it, too', () => {
    const next = generation('g2', 'routes-1', 'new');
    const same = sent(ROUTE, ['routes-1']);
    const handover = after(listener, acked(listener), same, acked(same), removal);
    expect(handover.leftBehind(LEFT, 0, PREVIOUS, next)).toBe(false);
  });

  it('is none where the cluster is still in the set', () => {
    const handover = after(...IN_ORDER);
    expect(handover.leftBehind(LEFT, 0, PREVIOUS, generation('g2', 'routes-2', 'old'))).toBe(false);
  });

  it.each<[string, readonly XdsServerEvent[]]>([
    ['before the cluster was taken away', IN_ORDER.slice(0, -1)],
    ['where the cluster went first', [removal, listener, acked(listener), routes, acked(routes)]],
    ['where the routes were sent after it', [listener, acked(listener), removal, routes, acked(routes)]],
    ['where the routes never came', [listener, acked(listener), removal]],
    ['where the routes are unanswered', [listener, acked(listener), routes, removal]],
    ['where the listener never came', [routes, acked(routes), removal]],
  ])('is not taken for one %s', (_, events) => {
    expect(after(...events).leftBehind(LEFT, 0, PREVIOUS, NEXT)).toBe(false);
  });

  it('is not taken for one because of what happened in the generation before', () => {
    const handover = after(...IN_ORDER);
    handover.begin();
    expect(handover.leftBehind(LEFT, 0, PREVIOUS, NEXT)).toBe(false);
  });
});

describe('the order of a server', () => {
  it('is wrong where a cluster goes while what points at clusters is unanswered', () => {
    expect(after(listener, acked(listener), routes, removal).faults()).toEqual([
      'old taken away while route.v3.RouteConfiguration routes-2 is unanswered',
    ]);
    expect(after(listener, removal).faults()).toHaveLength(1);
  });

  it('is right where clusters come, and where one goes after all is refused or taken', () => {
    const refused = { ...routes, kind: 'nacked' } as XdsServerEvent;
    expect(after(listener, sent(CLUSTER, ['new'])).faults()).toEqual([]);
    expect(after(listener, acked(listener), routes, refused, removal).faults()).toEqual([]);
  });
});

describe('who asks until something is done', () => {
  it('counts what cannot be avoided, and calls everything else a fault', async () => {
    const ask = async (): Promise<Answer> => Promise.resolve(LEFT);
    const allowed = [PREVIOUS, NEXT];
    const lenient = await askUntil(Promise.resolve(), allowed, ask, () => true);
    expect(lenient.faults).toEqual([]);
    expect(lenient.unavoidable).toBe(lenient.asked);
    const strict = await askUntil(Promise.resolve(), allowed, ask, () => false);
    expect(strict.faults[0]).toBe('listener 2 /: 503 (routes "of g1": )');
    expect(strict.unavoidable).toBe(0);
  });
});
