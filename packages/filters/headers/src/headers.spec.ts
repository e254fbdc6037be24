import { isTulleError } from '@tulle/filter';
import { runChain, testProxy } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { headers } from './index.ts';

describe('header edits', () => {
  it('remove, then set, then add, in the request and in the response', async () => {
    const { response, upstreamRequests } = await runChain({
      filters: [
        headers({
          request: {
            remove: ['X-Old'],
            set: [
              { name: 'X-Set', value: '1' },
              { name: 'x-old', value: 'new' },
            ],
            add: [{ name: 'x-add', value: 'b' }],
          },
          response: {
            remove: ['x-secret'],
            set: [{ name: 'x-via', value: 'tulle' }],
            add: [{ name: 'set-cookie', value: 'b=2' }],
          },
        }),
      ],
      request: {
        headers: [
          ['x-old', '1'],
          ['X-OLD', '2'],
          ['x-set', 'a'],
          ['x-set', 'b'],
          ['x-add', 'a'],
        ],
      },
      upstream: () => ({
        headers: [
          ['x-secret', 's'],
          ['set-cookie', 'a=1'],
          ['x-via', 'origin'],
        ],
        body: 'ok',
      }),
    });
    const [request] = upstreamRequests;
    expect(['x-old', 'x-set', 'x-add'].map((name) => request?.headerAll(name))).toEqual([
      ['new'],
      ['1'],
      ['a', 'b'],
    ]);
    expect(['x-secret', 'set-cookie', 'x-via'].map((name) => response?.headerAll(name))).toEqual([
      [],
      ['a=1', 'b=2'],
      ['tulle'],
    ]);
  });

  it('reach answers that the proxy gives itself', async () => {
    const { response } = await runChain({
      filters: [headers({ response: { set: [{ name: 'x-frame-options', value: 'DENY' }] } })],
      upstream: () => 'reset',
    });
    expect([response?.status, response?.header('x-frame-options')]).toEqual([503, 'DENY']);
  });

  it('of a route come beside those of the chain', async () => {
    const base = {
      request: { set: [{ name: 'x-a', value: 'base' }] },
      response: { set: [{ name: 'x-b', value: 'base' }] },
    };
    const { response, upstreamRequests } = await runChain({
      filters: [headers(base, { name: 'edits' })],
      filterConfigs: { edits: { request: { set: [{ name: 'x-c', value: 'route' }] } } },
    });
    expect([
      upstreamRequests[0]?.header('x-a'),
      upstreamRequests[0]?.header('x-c'),
      response?.header('x-b'),
    ]).toEqual(['base', 'route', 'base']);
  });

  it('of the most specific place come right after those of the chain, or last where that is asked for', async () => {
    const add = (value: string) => ({ request: { add: [{ name: 'x-from', value }] } });
    const order = async (specificLast: boolean) => {
      const proxy = await testProxy({
        listeners: [
          {
            name: 'test',
            address: { host: '127.0.0.1', port: 8080 },
            filterChains: [
              {
                name: 'http',
                handler: {
                  kind: 'http',
                  filters: [headers({ ...add('chain'), specificLast }, { name: 'edits' })],
                  routes: {
                    name: 'all',
                    virtualHosts: [
                      {
                        name: 'all',
                        domains: ['*'],
                        filterConfigs: { edits: add('host') },
                        routes: [
                          {
                            name: 'all',
                            match: { path: { kind: 'prefix', value: '/' } },
                            filterConfigs: { edits: add('route') },
                            action: { kind: 'forward', clusters: [{ name: 'service' }] },
                          },
                        ],
                      },
                    ],
                  },
                },
              },
            ],
          },
        ],
        clusters: [
          {
            name: 'service',
            discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
          },
        ],
        upstreams: { '10.0.0.1:80': () => ({}) },
      });
      await proxy.client().request({});
      const seen = proxy.upstream('10.0.0.1:80').requests[0]?.headerAll('x-from');
      await proxy.stop();
      return seen;
    };
    expect(await order(false)).toEqual(['chain', 'route', 'host']);
    expect(await order(true)).toEqual(['chain', 'host', 'route']);
  });

  it('in an order of their own are made one after the other', async () => {
    const { upstreamRequests } = await runChain({
      filters: [
        headers({
          requestSteps: [
            { setIfPresent: { name: 'X-There', value: 'new' } },
            { setIfPresent: { name: 'x-absent', value: 'new' } },
            { addIfAbsent: { name: 'x-there', value: 'other' } },
            { addIfAbsent: { name: 'x-made', value: '1' } },
            { add: { name: 'x-made', value: '2' } },
            { remove: 'x-gone' },
            { set: { name: 'x-gone', value: 'back' } },
            { remove: 'x-gone' },
          ],
        }),
      ],
      request: { headers: { 'x-there': 'old', 'x-gone': 'a' } },
    });
    const sent = upstreamRequests[0];
    expect(['x-there', 'x-absent', 'x-made', 'x-gone'].map((name) => sent?.headerAll(name))).toEqual([
      ['new'],
      [],
      ['1', '2'],
      [],
    ]);
  });

  it('of fields that belong to the engine are refused when the configuration is, all at once', async () => {
    const config = {
      request: { set: [{ name: 'Host', value: 'a' }], remove: ['Content-Length'] },
      response: { add: [{ name: 'connection', value: 'close' }] },
    };
    const error = await runChain({ filters: [headers(config)] }).catch((reason: unknown) => reason);
    expect(String(error)).toMatch(
      /\/request\/remove\/0 "Content-Length" cannot be edited.*\/request\/set\/0\/name "Host" cannot be edited: use the route's rewrite\.host.*\/response\/add\/0\/name/s,
    );
    await expect(
      runChain({
        filters: [headers({}, { name: 'edits' })],
        filterConfigs: { edits: { request: { remove: ['te'] } } },
      }),
    ).rejects.toThrow(/"te" cannot be edited/);
  });

  it('that could split a message are refused by the schema', () => {
    for (const edit of [
      { name: 'x', value: 'a\r\nb' },
      { name: 'x:', value: 'a' },
      { name: '', value: 'a' },
    ]) {
      expect(
        headers.definition.config['~standard'].validate({ request: { set: [edit] } }).issues,
      ).toHaveLength(1);
    }
  });

  it('without edits cost no hook', () => {
    expect([
      headers.definition.applies?.({}),
      headers.definition.applies?.({ request: { set: [] } }),
      headers.definition.applies?.({ response: { remove: ['a'] } }),
    ]).toEqual([false, false, true]);
  });
});

it('is recognised as a configuration error', () => {
  let caught: unknown;
  try {
    void headers.definition.create({} as never, { request: { remove: ['te'] } });
  } catch (error) {
    caught = error;
  }
  expect(isTulleError(caught) && caught.code).toBe('TULLE_CONFIG_INVALID');
});
