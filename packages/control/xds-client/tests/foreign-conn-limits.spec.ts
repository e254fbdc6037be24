import { describe, expect, it } from 'vitest';
import { beforeHttp, tcpChain, typed } from './envoy-filters.ts';

const bucket = { maxTokens: 10, tokensPerFill: 5, fillInterval: '1s' };
const rate = (fields = {}) =>
  tcpChain({
    name: 'one',
    typedConfig: typed('network.local_ratelimit.v3.LocalRateLimit', {
      statPrefix: 's',
      tokenBucket: bucket,
      ...fields,
    }),
  });
const limit = (fields = {}) =>
  tcpChain({
    name: 'one',
    typedConfig: typed('network.connection_limit.v3.ConnectionLimit', {
      statPrefix: 's',
      maxConnections: 3,
      ...fields,
    }),
  });
const off = { runtimeEnabled: { defaultValue: false, runtimeKey: 'k' } };

describe('Envoy’s limits of connections', () => {
  it('are read, and one that is switched off limits nobody', () => {
    expect(rate()).toEqual([
      {
        name: 'one',
        filter: 'tulle.conn.ratelimit',
        config: { name: 's', bucket: { capacity: 10, tokens: 5, intervalMs: 1000 } },
      },
    ]);
    expect(limit({ delay: '0.5s' })).toEqual([
      { name: 'one', filter: 'tulle.conn.limit', config: { name: 's', maxConnections: 3, delayMs: 500 } },
    ]);
    for (const flag of [{ runtimeKey: 'k' }, { defaultValue: true, runtimeKey: 'k' }])
      expect([rate({ runtimeEnabled: flag }), limit({ runtimeEnabled: flag })]).toEqual([rate(), limit()]);
    expect([rate(off), limit(off)]).toEqual([[], []]);
  });

  it('stand before HTTP as well, as RBAC does', () => {
    const filters = [
      {
        name: 'rate',
        typedConfig: typed('network.local_ratelimit.v3.LocalRateLimit', {
          statPrefix: 's',
          tokenBucket: bucket,
        }),
      },
      {
        name: 'rbac',
        typedConfig: typed('network.rbac.v3.RBAC', {
          statPrefix: 's',
          rules: {
            action: 'DENY',
            policies: {
              p: {
                permissions: [{ any: true }],
                principals: [{ directRemoteIp: { addressPrefix: '10.0.0.0', prefixLen: 8 } }],
              },
            },
          },
        }),
      },
    ];
    expect(beforeHttp(...filters)).toEqual(tcpChain(...filters));
    expect(beforeHttp(...filters)).toEqual([
      expect.objectContaining({ name: 'rate', filter: 'tulle.conn.ratelimit' }),
      { name: 'rbac', filter: 'tulle.conn.ip-allow', config: { deny: ['10.0.0.0/8'] } },
    ]);
  });

  it.each([
    [rate({ statPrefix: '' }), 'stat_prefix is missing'],
    [rate({ tokenBucket: null }), 'token_bucket is missing'],
    [rate({ tokenBucket: { ...bucket, fillInterval: '0.01s' } }), 'fill_interval must be at least 0.05 s'],
    [rate({ shareKey: 'all' }), 'share_key'],
    [limit({ maxConnections: null }), 'max_connections is missing'],
    [limit({ maxConnections: 0 }), 'max_connections must be at least 1'],
    [limit({ delay: '11s' }), 'delay must be 0 to 10 s, but is 11 s'],
  ])('are refused where they say what cannot be done: %#', (found, sentence) => {
    expect(found).toEqual([expect.stringContaining(sentence)]);
  });
});
