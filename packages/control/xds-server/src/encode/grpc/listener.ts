import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { FilterChain, HttpHandler, Listener as ModelListener } from '@tulle/model';
import { TrafficDirection } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { type Listener, ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { FilterChainSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeAddress } from '../address.ts';
import { adsSource } from '../config-source.ts';
import type { EncodeForm } from '../form.ts';
import { encodeGrpcFilters } from './filters.ts';
import { refuse, refuseFields } from './refuse.ts';
import { encodeGrpcRoutes } from './route-config.ts';
import { encodeServerTls } from './tls.ts';

/** A listener as gRPC reads it: for its calls an API listener (gRFC A27), for its server one with an address (gRFC A36). */
export function encodeGrpcListener(listener: ModelListener, form: EncodeForm): Listener {
  return listener.direction === 'inbound' ? serverListener(listener, form) : apiListener(listener);
}

function apiListener({ name, filterChains }: ModelListener): Listener {
  const [chain, ...more] = filterChains;
  if (chain === undefined || more.length > 0)
    refuse('/filterChains', 'a gRPC channel has one chain of filters');
  const { handler } = chain;
  if (handler.kind !== 'http')
    refuse('/filterChains/0/handler', 'gRPC is HTTP/2; the port of the Service speaks TCP');
  const manager = create(HttpConnectionManagerSchema, {
    routeSpecifier:
      'routeConfigName' in handler.routes
        ? {
            case: 'rds',
            value: { configSource: adsSource(), routeConfigName: handler.routes.routeConfigName },
          }
        : { case: 'routeConfig', value: encodeGrpcRoutes(handler.routes) },
    httpFilters: encodeGrpcFilters(handler.filters, 'client'),
  });
  return create(ListenerSchema, {
    name,
    apiListener: { apiListener: anyPack(HttpConnectionManagerSchema, manager) },
  });
}

function serverListener(listener: ModelListener, form: EncodeForm): Listener {
  const { name, address, filterChains, connectionFilters = [] } = listener;
  for (const [i, { filter }] of connectionFilters.entries())
    refuse(`/connectionFilters/${i}`, `a gRPC server has no filters of connections (${filter})`);
  const [chain, ...more] = filterChains;
  if (chain === undefined) refuse('/filterChains', 'there is none: nobody could be served');
  if (more.length > 0 || chain.match !== undefined)
    refuse(
      '/filterChains',
      'a gRPC server takes mutual TLS or plain text on a port, not both: no PeerAuthentication may say PERMISSIVE for it',
    );
  return create(ListenerSchema, {
    name,
    address: encodeAddress(address),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: [serverChain(chain, form)],
  });
}

function serverChain({ name, handler, tls }: FilterChain, form: EncodeForm): ReturnType<typeof makeChain> {
  if (handler.kind !== 'http') refuse('/filterChains/0/handler', 'gRPC is HTTP/2; the port says TCP');
  refuseFields('/filterChains/0/handler', handler, {
    connectionFilters: 'a gRPC server has no filters of connections',
  });
  return makeChain(name, serverManager(handler), tls && encodeServerTls(tls, form));
}

function makeChain(
  name: string | undefined,
  manager: HttpConnectionManager,
  transportSocket: ReturnType<typeof encodeServerTls> | undefined,
) {
  return create(FilterChainSchema, {
    ...(name !== undefined && { name }),
    filters: [
      {
        name: 'envoy.filters.network.http_connection_manager',
        configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) },
      },
    ],
    ...(transportSocket && { transportSocket }),
  });
}

/** The program itself answers: what its routes lead to is the handler of the method (`non_forwarding_action`, gRFC A36). */
function serverManager({ routes, filters }: HttpHandler): HttpConnectionManager {
  const given = 'virtualHosts' in routes ? routes.virtualHosts.flatMap((host) => host.routes) : [];
  const closed = given.find(({ action }) => action.kind !== 'forward');
  if (closed !== undefined)
    refuse(
      `/routes/${closed.name}`,
      closed.action.kind === 'direct' && closed.action.body !== undefined
        ? closed.action.body
        : 'a gRPC server only answers',
    );
  return create(HttpConnectionManagerSchema, {
    routeSpecifier: {
      case: 'routeConfig',
      value: create(RouteConfigurationSchema, {
        name: 'inbound',
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                name: 'handlers',
                match: { pathSpecifier: { case: 'prefix', value: '/' } },
                action: { case: 'nonForwardingAction', value: {} },
              },
            ],
          },
        ],
      }),
    },
    httpFilters: encodeGrpcFilters(filters, 'server'),
  });
}
