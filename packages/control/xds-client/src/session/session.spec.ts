import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ProxyConfig } from '@tulle/model';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { createResourceDecoder } from '../decode/resource.ts';
import { TYPE_URLS } from '../wire.ts';
import type { ClientRequest, ReceivedResource, ServerResponse } from './messages.ts';
import type { Session } from './contract.ts';
import { createSession } from './session.ts';
import { emptyStore } from './store.ts';

let requests: ClientRequest[];
let offered: ProxyConfig[];
let session: Session;
let now: number;

beforeEach(() => {
  requests = [];
  offered = [];
  now = 0;
  session = createSession({
    decoder: createResourceDecoder(),
    initial: emptyStore(),
    maxResources: 10,
    maxDemands: 100,
    warmingMs: 15_000,
    holdMs: 30_000,
    send: (request) => requests.push(request),
    apply: (config) => offered.push(config),
    accepted() {},
    refused() {},
    abandon() {},
    warn() {},
    nowMs: () => now,
    epochMs: () => now,
  });
  session.connected();
  requests = [];
});

/** A static cluster, with bytes of a field that no version knows where asked for. */
function cluster(name: string, { inside = name, extra = [] as number[] } = {}): ReceivedResource {
  const any = anyPack(ClusterSchema, create(ClusterSchema, { name: inside }));
  const value = Uint8Array.from([...any.value, ...extra]);
  return { name, version: `v-${name}`, any: { ...any, value } };
}

function respond(fields: Partial<ServerResponse>): void {
  session.response({
    typeUrl: TYPE_URLS.cluster,
    nonce: 'n',
    changeId: 'c',
    last: undefined,
    resources: [],
    removed: [],
    ...fields,
  });
}

const errors = (): string[] => requests.flatMap(({ error }) => error?.message ?? []);

describe('a response', () => {
  it('is acknowledged when the engine has taken it, not before', () => {
    respond({ resources: [cluster('a')] });
    expect(requests).toEqual([]);
    session.applied({ ok: true });
    expect(requests).toMatchObject([{ typeUrl: TYPE_URLS.cluster, nonce: 'n' }]);
    expect(requests[0]).not.toHaveProperty('error');
  });

  it('of a type that was never asked for is refused by its name', () => {
    respond({ typeUrl: 'type.googleapis.com/x.Y' });
    expect(errors()).toEqual(['The type type.googleapis.com/x.Y was never asked for.']);
    expect(offered).toEqual([]);
  });

  it('with a resource of another type inside refuses that resource and takes the others', () => {
    const wrong: ReceivedResource = {
      ...cluster('b'),
      any: { ...(cluster('b').any as Any), typeUrl: TYPE_URLS.listener },
    };
    respond({ resources: [cluster('a'), wrong] });
    session.applied({ ok: true });
    expect(offered[0]?.clusters.map(({ name }) => name)).toEqual(['a']);
    expect(errors()).toEqual([
      expect.stringContaining('cluster "b": must be a type.googleapis.com/envoy.config.cluster.v3.Cluster'),
    ]);
  });

  it('with one name twice refuses that name', () => {
    respond({ resources: [cluster('a'), cluster('a'), cluster('b')] });
    session.applied({ ok: true });
    expect(offered[0]?.clusters.map(({ name }) => name)).toEqual(['b']);
    expect(errors()).toEqual(['cluster "a": is in the response more than once']);
  });

  it('whose resource has another name inside refuses it', () => {
    respond({ resources: [cluster('a', { inside: 'b' })] });
    session.applied({ ok: true });
    expect(errors()).toEqual(['cluster "a": is named "b" inside']);
  });

  it('with a field that nobody knows refuses the resource with the number of the field', () => {
    respond({ resources: [cluster('a', { extra: [0xf8, 0x7f, 0x01] })] }); // field 2047, varint
    session.applied({ ok: true });
    expect(errors()).toEqual([
      'cluster "a": envoy.config.cluster.v3.Cluster has field number 2047, which this version does not know',
    ]);
  });

  it('with bytes that are no message refuses the resource', () => {
    respond({
      resources: [
        {
          name: 'a',
          version: '1',
          any: { ...(cluster('a').any as Any), value: Uint8Array.from([0x0a, 0xff]) },
        },
      ],
    });
    session.applied({ ok: true });
    expect(errors()).toEqual([expect.stringMatching(/cluster "a": cannot be read/)]);
  });

  it('beyond the room for resources refuses what is too much', () => {
    respond({ resources: Array.from({ length: 12 }, (_, index) => cluster(`c${index}`)) });
    session.applied({ ok: true });
    expect(offered[0]?.clusters).toHaveLength(10);
    expect(errors()[0]).toContain('maxResources');
  });

  it('with a version of before is taken like any other: a control plane may go back', () => {
    const older = { ...cluster('a'), version: '1' };
    for (const version of ['2', '1']) {
      respond({ resources: [{ ...older, version }] });
      session.applied({ ok: true });
    }
    expect(errors()).toEqual([]);
    expect(offered).toHaveLength(2);
  });
});

describe('an engine that refuses', () => {
  it('has the reason sent for the resource that it points at; the last good one stays', () => {
    respond({ resources: [cluster('a')], nonce: '1' });
    session.applied({ ok: true });
    respond({ resources: [{ ...cluster('a'), version: '2' }, cluster('b')], nonce: '2' });
    session.applied({ ok: false, issues: [{ path: '/clusters/0/name', message: 'no' }] });
    expect(offered.at(-1)?.clusters.map(({ name }) => name)).toEqual(['a', 'b']);
    session.applied({ ok: true });
    expect(requests.at(-1)).toMatchObject({
      nonce: '2',
      error: { message: 'cluster "a": /name: no', refusals: [{ name: 'a' }] },
    });
    expect(session.status().refused).toEqual([{ kind: 'cluster', name: 'a', reasons: ['/name: no'] }]);
  });

  it('and points at nothing new has everything new refused', () => {
    respond({ resources: [cluster('a')] });
    session.applied({ ok: false, issues: [{ path: '', message: 'no' }] });
    session.applied({ ok: true });
    expect(offered.at(-1)?.clusters).toEqual([]);
    expect(errors()).toEqual(['cluster "a": no']);
  });

  it('even when everything is taken back does not make it try for ever', () => {
    respond({ resources: [cluster('a')] });
    for (let attempt = 0; attempt < 3; attempt++)
      session.applied({ ok: false, issues: [{ path: '', message: 'no' }] });
    expect(session.status().applying).toBe(false);
    expect(offered).toHaveLength(2);
  });
});

it('goes on without endpoints that do not come in time', () => {
  const eds = create(ClusterSchema, {
    name: 'a',
    clusterDiscoveryType: { case: 'type', value: 3 },
    edsClusterConfig: { edsConfig: { configSourceSpecifier: { case: 'ads', value: {} } } },
  });
  const any = { ...anyPack(ClusterSchema, eds), value: toBinary(ClusterSchema, eds) };
  respond({ resources: [{ name: 'a', version: '1', any }] });
  expect(offered.at(-1)?.clusters).toEqual([]);
  session.applied({ ok: true });
  expect(session.status().warming).toEqual(['cluster a']);
  expect(session.deadlineMs()).toBe(15_000);
  now = 15_000;
  session.expire();
  expect(offered.at(-1)?.clusters.map(({ name }) => name)).toEqual(['a']);
  session.applied({ ok: true });
  expect(session.status().warming).toEqual([]);
  expect(session.deadlineMs()).toBeUndefined();
});

it('gives a chain the retry filter while its routes have something to say to it, and no longer', () => {
  const listenerOf = anyPack(
    ListenerSchema,
    create(ListenerSchema, {
      name: 'l',
      address: {
        address: {
          case: 'socketAddress',
          value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: 80 } },
        },
      },
      filterChains: [
        {
          filters: [
            {
              name: 'hcm',
              configType: {
                case: 'typedConfig',
                value: anyPack(
                  HttpConnectionManagerSchema,
                  create(HttpConnectionManagerSchema, {
                    routeSpecifier: {
                      case: 'rds',
                      value: {
                        routeConfigName: 'r',
                        configSource: { configSourceSpecifier: { case: 'ads', value: {} } },
                      },
                    },
                    serverHeaderTransformation: 2,
                    httpFilters: [
                      {
                        name: 'router',
                        configType: {
                          case: 'typedConfig',
                          value: anyPack(RouterSchema, create(RouterSchema)),
                        },
                      },
                    ],
                  }),
                ),
              },
            },
          ],
        },
      ],
    }),
  );
  const routesOf = (retryOn: string): Any =>
    anyPack(
      RouteConfigurationSchema,
      create(RouteConfigurationSchema, {
        name: 'r',
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                name: 'one',
                match: { pathSpecifier: { case: 'prefix', value: '/' } },
                action: {
                  case: 'route',
                  value: {
                    clusterSpecifier: { case: 'cluster', value: 'c' },
                    ...(retryOn === '' ? {} : { retryPolicy: { retryOn } }),
                  },
                },
              },
            ],
          },
        ],
      }),
    );
  const take = (typeUrl: string, name: string, version: string, any: Any): void => {
    respond({ typeUrl, resources: [{ name, version, any }] });
    session.applied({ ok: true });
  };
  const chain = (): unknown => {
    const handler = offered.at(-1)?.listeners[0]?.filterChains[0]?.handler;
    return handler?.kind === 'http' && handler.filters;
  };
  take(TYPE_URLS.listener, 'l', '1', listenerOf);
  take(TYPE_URLS.route, 'r', '1', routesOf(''));
  expect(errors()).toEqual([]);
  expect(chain()).toEqual([]);
  take(TYPE_URLS.route, 'r', '2', routesOf('5xx'));
  expect(chain()).toEqual([{ name: 'tulle.http.retry', filter: 'tulle.http.retry', config: { retries: 0 } }]);
  const [with5xx] = offered.at(-1)?.listeners ?? [];
  take(TYPE_URLS.route, 'r', '3', routesOf('reset'));
  expect(offered.at(-1)?.listeners[0]).toBe(with5xx); // the very same: its connections stay
  take(TYPE_URLS.route, 'r', '4', routesOf(''));
  expect(chain()).toEqual([]);
});
