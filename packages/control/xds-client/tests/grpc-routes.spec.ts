import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import type { RouteActionSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const decoder = createResourceDecoder();
const seconds = (count: number) => ({ seconds: BigInt(count) });

/** How a route of another control plane is read. @returns its action, or what is refused of it */
function read(action: MessageInitShape<typeof RouteActionSchema>): unknown {
  const routes = create(RouteConfigurationSchema, {
    name: 'r',
    virtualHosts: [
      {
        name: 'v',
        domains: ['*'],
        routes: [
          {
            name: 'one',
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: {
              case: 'route',
              value: { clusterSpecifier: { case: 'cluster', value: 'c' }, ...action },
            },
          },
        ],
      },
    ],
  });
  const decoded = decoder.decode('route', anyPack(RouteConfigurationSchema, routes));
  if (!decoded.ok) return decoded.issues.map(({ path }) => path);
  const [route] = decoded.resource.virtualHosts[0]?.routes ?? [];
  return { action: route?.action, retry: route?.filterConfigs?.['tulle.http.retry'] };
}

it('deadlines of gRPC calls have a maximum, in either form', () => {
  const max = (
    timeout: number | undefined,
    older: number | undefined,
    header?: number,
  ): number | undefined | readonly string[] => {
    const got = read({
      ...(timeout !== undefined && { timeout: seconds(timeout) }),
      ...(older !== undefined && { maxGrpcTimeout: seconds(older) }),
      ...(header !== undefined && { maxStreamDuration: { grpcTimeoutHeaderMax: seconds(header) } }),
    });
    return Array.isArray(got)
      ? (got as string[])
      : (got as { action: { maxGrpcTimeoutMs?: number } }).action.maxGrpcTimeoutMs;
  };
  expect(max(undefined, undefined)).toBeUndefined();
  expect(max(undefined, undefined, 7)).toBe(7_000);
  // What Istio sends: the same in both, 0 where the operator says nothing.
  expect(max(0, 0)).toBeUndefined();
  expect(max(5, 5)).toBe(5_000);
  expect(max(0, 5)).toBe(5_000);
  expect(max(5, 5, 3)).toBe(3_000);
  expect(max(5, 5, 0)).toBe(5_000);
  const refused = ['virtual_hosts[0].routes[0].route.max_grpc_timeout'];
  expect(max(5, 0)).toEqual(refused);
  expect(max(undefined, 5)).toEqual(refused);
});

it("reads Istio's default for retries", () => {
  expect(
    read({
      retryPolicy: {
        retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
        numRetries: 2,
        retriableStatusCodes: [503],
      },
    }),
  ).toMatchObject({
    retry: {
      retries: 2,
      on: ['connect-failure', 'unavailable', 'cancelled', 'status-codes'],
      statusCodes: [503],
    },
  });
});
