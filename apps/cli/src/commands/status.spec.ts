import { diagnostic } from '@tulle/resources';
import { expect, it } from 'vitest';
import { findings, lastSeen, type KindRow, type MeshStatus } from './status.ts';

it('what is wrong is told with its place and reason, a line each', () => {
  const kind = (state: KindRow['state'], error?: string): KindRow => ({
    state,
    ...(error === undefined ? {} : { error }),
    resources: 1,
    sent: 1,
    acked: 0,
    nacked: 1,
  });
  const status: MeshStatus = {
    trustDomain: 'mesh.local',
    resources: 3,
    proxies: [
      {
        id: 'spiffe://mesh.local/ns/default/sa/web~web-1',
        connected: true,
        workload: 'web',
        namespace: 'default',
        labels: {},
        changeId: 'c1',
        kinds: { route: kind('NACKED', 'no regex here'), cluster: kind('SYNCED') },
      },
    ],
    sources: [
      {
        id: 'file:mesh',
        faults: [
          diagnostic('TULLE0201', {
            message: 'unknown field "selectr"',
            position: { file: 'mesh/a.yaml', line: 3, column: 7 },
          }),
        ],
      },
    ],
    filterPolicies: [{ name: 'default/teapot', accepted: false, conditions: [], lacking: ['web-1'] }],
    services: [
      {
        name: 'default/orders',
        leftOut: [{ workload: 'default/evil.1', reason: 'nobody granted it' }],
        conditions: [
          { type: 'EndpointsTaken', status: 'False', reason: 'x', message: 'said by leftOut' },
          {
            type: 'WaypointReady',
            status: 'False',
            reason: 'WaypointNotFound',
            message: 'nobody can call it: there is no Gateway default/gate',
          },
        ],
      },
    ],
    unsaved: 'ENOSPC',
  };
  const [fault, nack, filter, thief, waypoint, unsaved, ...others] = findings(status);
  expect(fault).toMatch(/^mesh\/a\.yaml:3:7 .*selectr/);
  expect(nack).toBe('web-1.default refuses a route: no regex here');
  expect(filter).toMatch(/^FilterPolicy default\/teapot .* web-1$/);
  expect(thief).toBe('Service default/orders does not take the Workload default/evil.1: nobody granted it');
  expect(waypoint).toBe(
    'Service default/orders asks for a waypoint: nobody can call it: there is no Gateway default/gate',
  );
  expect(unsaved).toMatch(/ENOSPC/);
  expect(others).toEqual([]);
});

it('a proxy that is gone was seen some time ago', () => {
  const proxy = {
    id: 'a',
    connected: true,
    workload: 'w',
    namespace: 'n',
    labels: {},
    changeId: 'c',
    kinds: {},
  };
  expect(lastSeen(proxy, 1_000_000)).toBe('now');
  expect(lastSeen({ ...proxy, connected: false, lastSeenMs: 999_000 }, 1_000_000)).toBe('1s ago');
  expect(lastSeen({ ...proxy, connected: false, lastSeenMs: 700_000 }, 1_000_000)).toBe('5m ago');
});
