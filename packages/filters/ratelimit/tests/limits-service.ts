import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { addMetadata, CONTINUE, defineHttpFilter, DYNAMIC_METADATA } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
import type { GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig, RateLimitActions } from '@tulle/model';
import {
  fakeClock,
  grpcUpstream,
  memoryNetwork,
  testProxy,
  type Http2Upstream,
  type TestProxy,
  type TestRequest,
  type TestResponse,
} from '@tulle/testkit';
import { afterEach } from 'vitest';
import {
  RateLimitRequestSchema,
  RateLimitResponseSchema,
  type RateLimitRequest,
} from '../src/gen/envoy/service/ratelimit/v3/rls_pb.js';
import { globalRateLimit } from '../src/index.ts';

/** What the service says. */
export type Reply =
  | MessageInitShape<typeof RateLimitResponseSchema>
  | { readonly grpcStatus: number }
  | 'silence';

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).toReversed()) await one.stop();
});

const ACTIONS: readonly RateLimitActions[] = [
  {
    actions: [
      { kind: 'generic', value: 'all' },
      { kind: 'header', name: 'x-user', key: 'user', optional: true },
    ],
  },
];

interface Setting {
  readonly config?: Partial<GlobalRateLimitFilterConfig>;
  readonly rateLimits?: readonly RateLimitActions[];
  readonly onRoute?: GlobalRateLimitRouteConfig;
  /** Of an answer of the service behind the proxy. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What an earlier filter knows, under `own`; with `internal: true` it marks the request as one from inside. */
  readonly known?: Record<string, unknown>;
}

const knowing = defineHttpFilter<{ known: Record<string, unknown> }>({
  apiVersion: 1,
  id: 'tulle-filter-knowing',
  config: jsonSchema<{ known: Record<string, unknown> }>({
    type: 'object',
    properties: { known: { type: 'object' } },
  }),
  provides: [DYNAMIC_METADATA],
  create: () => ({
    requestHeaders(stream, { known }) {
      addMetadata(stream, 'own', known);
      if (known['internal'] === true) stream.request.headers.set('x-envoy-internal', 'true');
      return CONTINUE;
    },
  }),
});

const learning = (learnt: unknown[]) =>
  defineHttpFilter<object>({
    apiVersion: 1,
    id: 'tulle-filter-learning',
    config: jsonSchema<object>({ type: 'object' }),
    create: () => ({
      requestHeaders(stream) {
        learnt.push(stream.get(DYNAMIC_METADATA));
        return CONTINUE;
      },
    }),
  });

/** What a proxy, its service and a later filter have got. */
export interface Asked {
  readonly proxy: TestProxy;
  readonly asked: RateLimitRequest[];
  readonly service: Http2Upstream;
  /** Metadata that a later filter finds, request after request. */
  readonly learnt: unknown[];
}

/** A proxy whose limits a service in memory counts, which speaks gRPC. */
export async function proxyWith(
  answer: (request: RateLimitRequest) => Reply,
  { config = {}, rateLimits = ACTIONS, onRoute, known, headers = {} }: Setting = {},
): Promise<Asked> {
  const learnt: unknown[] = [];
  const asked: RateLimitRequest[] = [];
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const service = grpcUpstream(network, '10.0.9.1:8081', (message) => {
    const request = fromBinary(RateLimitRequestSchema, message);
    asked.push(request);
    const reply = answer(request);
    if (reply === 'silence') return reply;
    return 'grpcStatus' in reply
      ? reply.grpcStatus
      : toBinary(RateLimitResponseSchema, create(RateLimitResponseSchema, reply));
  });
  const proxy = await testProxy({
    clock,
    network,
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'http',
            handler: {
              kind: 'http',
              filters: [
                ...(known === undefined ? [] : [knowing({ known })]),
                globalRateLimit({ domain: 'shop', cluster: 'limits', ...config }, { name: 'global' }),
                learning(learnt)({}),
              ],
              routes: {
                name: 'all',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      {
                        name: 'all',
                        match: { path: { kind: 'prefix', value: '/' } },
                        action: { kind: 'forward', clusters: [{ name: 'service' }], rateLimits },
                        ...(onRoute && { filterConfigs: { global: onRoute } }),
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
      {
        name: 'limits',
        pool: { protocol: 'http2' },
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.9.1', port: 8081 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok', headers }) },
  });
  running.push(proxy);
  return { proxy, asked, service, learnt };
}

export const ask = async (proxy: TestProxy, request: TestRequest = {}): Promise<TestResponse> =>
  proxy.client().request(request);
