import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { AUTHZ_FILTER, FAULT_FILTER, type FilterConfigs, type FilterEntry, RETRY_FILTER } from '@tulle/model';
import { HTTPFaultSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import { RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { DENY_SLOT } from '../../wire.ts';
import { encodeAuthz } from '../authz/rbac.ts';
import { encodeFault } from '../fault.ts';
import { isObject } from '../shape.ts';
import { sortedMap } from '../values.ts';
import { refuse } from './refuse.ts';

/** A chain: gRPC has fault injection for its calls (gRFC A33), authorization for its server (gRFC A41), and the router at the end. */
export function encodeGrpcFilters(entries: readonly FilterEntry[], side: 'client' | 'server'): HttpFilter[] {
  return [
    ...entries.flatMap((entry, i) => encodeFilter(entry, `/filters/${i}`, side)),
    filter('envoy.filters.http.router', anyPack(RouterSchema, create(RouterSchema))),
  ];
}

function encodeFilter(entry: FilterEntry, path: string, side: 'client' | 'server'): HttpFilter[] {
  const { name, filter: id, config, optional, disabled } = entry;
  // The chain's default: gRPC repeats by itself what never left, and else what a route asks for.
  if (id === RETRY_FILTER) return [];
  // gRPC passes over `disabled`; without faults of its own it waits for the overrides of routes.
  if (id === FAULT_FILTER && side === 'client')
    return [filter(name, encodeGrpcFault(disabled === true ? {} : config, path))];
  if (id === AUTHZ_FILTER && side === 'server') return encodeGrpcAuthz(entry, path);
  if (optional === true) return [];
  return refuse(
    path,
    side === 'client'
      ? `gRPC clients have no filter ${id}, only ${FAULT_FILTER}`
      : `gRPC servers have no filter ${id}, only ${AUTHZ_FILTER}`,
  );
}

function encodeGrpcFault(config: unknown, path: string): Any {
  const fault = encodeFault(config);
  if (fault === undefined || fault.responseRateLimit !== undefined)
    return refuse(path, `gRPC can delay and abort calls; ${JSON.stringify(config)} asks for something else`);
  return anyPack(HTTPFaultSchema, fault);
}

/** Paths are compared as they are: a method is found by its exact path, so no other spelling reaches it. */
function encodeGrpcAuthz({ name, config }: FilterEntry, path: string): HttpFilter[] {
  const pair = encodeAuthz(config, 'grpc');
  if (pair === undefined)
    return refuse(
      path,
      'gRPC servers judge by identity, address, path, host and header; the policies ask for more, such as tokens (when)',
    );
  // What is only watched (shadow) gRPC has no log for.
  return [
    ...(pair.deny.rules ? [filter(DENY_SLOT, anyPack(RBACSchema, pair.deny))] : []),
    ...(pair.allow.rules ? [filter(name, anyPack(RBACSchema, pair.allow))] : []),
  ];
}

function filter(name: string, value: Any): HttpFilter {
  return create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value } });
}

/** Overrides of a route or host, by the filter's name; what is said of retries stands in their policy. */
export function encodeGrpcOverrides(
  configs: FilterConfigs | undefined,
  path: string,
): { [name: string]: Any } {
  return sortedMap(
    Object.entries(configs ?? {}).flatMap(([slot, config]): [string, Any][] => {
      if (slot === RETRY_FILTER || config === undefined) return [];
      // By convention a slot of a standard filter is named after it, or begins so.
      if (slot !== FAULT_FILTER && !slot.endsWith(`/${FAULT_FILTER}`) && !isFault(config))
        return refuse(
          `${path}/filterConfigs/${slot}`,
          `gRPC clients have no such filter, only ${FAULT_FILTER}`,
        );
      return [[slot, encodeGrpcFault(config ?? {}, `${path}/filterConfigs/${slot}`)]];
    }),
  );
}

function isFault(config: unknown): boolean {
  return isObject(config) && ('delay' in config || 'abort' in config);
}
