import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { PerRouteConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder, type Decoded } from '../src/decode/resource.ts';

function decoded(
  hostRewriteSpecifier: Parameters<typeof create<typeof PerRouteConfigSchema>>[1] & object,
  literal?: string,
): Decoded<'route'> {
  const config = create(RouteConfigurationSchema, {
    name: 'r',
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: {
              case: 'route',
              value: {
                clusterSpecifier: { case: 'cluster', value: 'out' },
                ...(literal !== undefined && {
                  hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: literal } as const,
                }),
              },
            },
            typedPerFilterConfig: {
              'envoy.filters.http.dynamic_forward_proxy': anyPack(
                PerRouteConfigSchema,
                create(PerRouteConfigSchema, hostRewriteSpecifier),
              ),
            },
          },
        ],
      },
    ],
  });
  return createResourceDecoder().decode('route', anyPack(RouteConfigurationSchema, config));
}

describe("a route's host for a forward proxy", () => {
  it('is that of the request that the cluster looks up', () => {
    expect(decoded({ hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'a.test' } })).toMatchObject({
      ok: true,
      resource: { virtualHosts: [{ routes: [{ action: { rewrite: { host: 'a.test' } } }] }] },
    });
    expect(decoded({ hostRewriteSpecifier: { case: 'hostRewriteHeader', value: 'X-To' } })).toMatchObject({
      ok: true,
      resource: {
        virtualHosts: [{ routes: [{ action: { rewrite: { hostFrom: { kind: 'header', name: 'x-to' } } } }] }],
      },
    });
  });

  it('is refused beside another rewrite of the host', () => {
    expect(
      decoded({ hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'a.test' } }, 'b.test'),
    ).toMatchObject({
      ok: false,
      issues: [{ path: 'virtual_hosts[0].routes[0].typed_per_filter_config' }],
    });
  });
});
