import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProxyConfig } from '@tulle/model';
import { config, edsCluster, endpointsAt, listenerTo, routesTo, service, together } from './fixtures.ts';
import { type Form, inForm } from './form.ts';
import { wirePair } from './wire-pair.ts';

const published: fc.Arbitrary<ProxyConfig> = fc
  .record({
    names: fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 }),
    port: fc.constantFrom(1, 2, 3),
    // All routes lead to one cluster: what a change of a reference looks like in between would show.
    hub: fc.constantFrom('a', 'b', undefined),
  })
  .map(({ names, port, hub }) => {
    const whole = together(...names.map((name) => service(name, port)));
    return hub !== undefined && names.includes(hub)
      ? { ...whole, routes: names.map((name) => routesTo(name, hub)) }
      : whole;
  });

const LISTS = { listener: 'listeners', route: 'routes', cluster: 'clusters', endpoint: 'endpoints' } as const;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('toServer' as const, 'toClient' as const) },
  { weight: 2, arbitrary: fc.constant('engine' as const) },
  { weight: 1, arbitrary: fc.constantFrom('reset' as const, 'settle' as const) },
  { weight: 2, arbitrary: published },
);

describe('a proxy of a control plane that sends changes whole', () => {
  it('never has a configuration that was not published, wherever streams break, and has the last one in the end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pair = wirePair();
        const history: Form[] = [inForm(config({}))];
        const confirmed = new Set<string>();
        pair.upToDate = (kind, changeId) => {
          const list = LISTS[kind];
          const has = inForm(pair.configs.at(-1) ?? config({}))[list];
          expect(has, `${changeId} ${kind}`).toEqual(
            history.map((form) => form[list])[Number(changeId.slice(1))],
          );
          confirmed.add(`${changeId} ${kind}`);
        };
        for (const one of steps) {
          if (typeof one === 'string') pair[one]();
          else {
            history.push(inForm(one));
            pair.publish(`c${history.length - 1}`, one);
          }
        }
        pair.settle();
        for (const kind of Object.keys(LISTS)) expect(confirmed).toContain(`c${history.length - 1} ${kind}`);
        let from = 0;
        for (const taken of pair.configs.map(inForm)) {
          // A subsequence: nothing unpublished, and never back.
          const place = history.findIndex(
            (form, index) => index >= from && JSON.stringify(form) === JSON.stringify(taken),
          );
          expect(place, JSON.stringify(taken)).toBeGreaterThanOrEqual(from);
          from = place;
        }
        expect(pair.configs.length).toBeGreaterThan(0);
        expect(inForm(pair.configs.at(-1) as ProxyConfig)).toEqual(history.at(-1));
        expect(pair.abandoned).toEqual([]);
        expect(pair.session.status()).toMatchObject({ synced: true, refused: [] });
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [
      'replaces everything',
      config({
        listeners: [listenerTo('b')],
        routes: [routesTo('b', 'b')],
        clusters: [edsCluster('b')],
        endpoints: [endpointsAt('b', 1)],
      }),
    ],
    [
      'alters everything',
      config({
        listeners: [listenerTo('a', 'listener-a', 1)],
        routes: [routesTo('a', 'a', 'a')],
        clusters: [edsCluster('a', 2)],
        endpoints: [endpointsAt('a', 1)],
      }),
    ],
  ])(
    'is on the old or on the new one when the control plane dies after any message of a push that %s',
    (_, after) => {
      const before = service('a');
      let boundaries = 0;
      for (let over = false; !over; boundaries++) {
        const pair = wirePair();
        pair.publish('c1', before);
        pair.settle();
        const taken = pair.configs.length;
        pair.publish('c2', after);
        let messages = 0;
        while (messages < boundaries && (pair.engine() || pair.toServer() || pair.toClient())) messages++;
        over = messages < boundaries; // the push was complete before
        pair.session.disconnected();
        pair.engine();
        const [old, ...more] = pair.configs.slice(taken - 1).map(inForm);
        expect(old).toEqual(inForm(before));
        for (const one of more) expect(one).toEqual(inForm(after));
      }
      expect(boundaries).toBeGreaterThan(8);
    },
  );

  it('drops what came of a change that is never completed, and gives up the stream', () => {
    const pair = wirePair();
    pair.publish('c1', service('a'));
    pair.settle();
    pair.publish('c2', together(service('a'), service('b')));
    pair.toClient();
    pair.time += 30_000;
    pair.session.expire();
    expect(pair.abandoned).toEqual([expect.stringContaining('"c2" was not completed within 30000 ms')]);
    pair.reset();
    pair.settle();
    expect(pair.configs.map(({ version }) => version)).toEqual(['c1', 'c2']);
  });
});

describe.each([
  ['of any other control plane', { atomic: false }],
  ['that speaks the state of the world', { atomic: false, stateOfTheWorld: true }],
])('a proxy %s', (_, options) => {
  it('ends with what was published last, wherever streams break', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pair = wirePair(options);
        let last = config({});
        for (const [index, one] of steps.entries()) {
          if (typeof one === 'string') pair[one]();
          else pair.publish(`c${index}`, (last = one));
        }
        pair.settle();
        expect(inForm(pair.configs.at(-1) ?? config({}))).toEqual(inForm(last));
      }),
      { numRuns: 300 },
    );
  });

  it('goes on where it was asked for endpoints that are gone again, of which it cannot say so', () => {
    const pair = wirePair(options);
    pair.publish('c1', together(service('b', 1), service('d', 1)));
    pair.settle();
    pair.publish('c2', together(service('b', 2), service('c', 2), service('d', 2)));
    pair.publish('c3', service('d', 1));
    pair.settle();
    expect(inForm(pair.configs.at(-1) as ProxyConfig)).toEqual(inForm(service('d', 1)));
  });

  it('has no listener without its routes and no route to a cluster that it does not have, at any time', () => {
    fc.assert(
      fc.property(fc.array(published, { minLength: 1, maxLength: 4 }), (changes) => {
        const pair = wirePair(options);
        for (const [index, one] of changes.entries()) {
          pair.publish(`c${index}`, one);
          pair.settle();
        }
        for (const { listeners, routes, clusters, endpoints } of pair.configs) {
          const names = (list: readonly { readonly name: string }[]): Set<string> =>
            new Set(list.map(({ name }) => name));
          for (const { name } of listeners) expect(names(routes)).toContain(name.replace('listener-', ''));
          for (const { name } of clusters) expect(names(endpoints)).toContain(name);
          for (const { virtualHosts } of routes) {
            for (const { action } of virtualHosts.flatMap((host) => host.routes)) {
              if (action.kind === 'forward')
                for (const { name } of action.clusters) expect(names(clusters)).toContain(name);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('ends with what was published last of all that its engine takes, whatever that refuses on the way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(1, 2, 3), (steps, bad) => {
        const pair = wirePair(options);
        // Endpoints at one of the ports: a refusal in the middle of everything else.
        pair.judge = ({ endpoints }) =>
          endpoints.flatMap((set, index) =>
            set.endpoints.some(({ address }) => 'port' in address && address.port === bad)
              ? [{ path: `/endpoints/${index}`, message: 'is at a bad port' }]
              : [],
          );
        let last = config({});
        for (const [index, one] of [...steps, service('d', (bad % 3) + 1)].entries()) {
          if (typeof one === 'string') pair[one]();
          else pair.publish(`c${index}`, (last = one));
        }
        pair.settle();
        expect(inForm(pair.configs.at(-1) ?? config({}))).toEqual(inForm(last));
        expect(pair.session.status().refused).toEqual([]);
        const said = pair.reports.filter(({ ok }) => !ok).map(({ error }) => error);
        for (const one of said) expect(one).toContain('is at a bad port');
      }),
      { numRuns: 200 },
    );
  });
});
