import {
  CONTINUE,
  defineHttpFilter,
  type BodyNeed,
  type BodyNeeds,
  type ConfigSchema,
  type HttpFilter,
  type HttpHooks,
} from '@tulle/filter';
import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach } from 'vitest';
import { testProxy, type TestProxy, type TestProxyOptions, type Upstream } from '../src/index.ts';

/** A schema that takes anything. */
export function anything<T>(): ConfigSchema<T> {
  return {
    '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as T }) },
    jsonSchema: {},
  };
}

/** Hooks of a test's filter. */
export type TestHooks = HttpHooks<{ tag?: string }, { count: number }>;

/** A filter made of hooks; its configuration is `{ tag }`, its state counts. */
export function filter(
  id: string,
  hooks: TestHooks,
  more: {
    scope?: 'request' | 'attempt';
    stage?: 'before-route' | 'routed';
    body?: { request?: BodyNeed; response?: BodyNeed };
    bodyFor?: (config: { tag?: string }) => BodyNeeds;
    unrouted?: boolean;
    effects?: 'none' | 'local' | 'external';
    retriesGrpc?: () => boolean;
    notes?: Readonly<Record<number, string>>;
  } = {},
): HttpFilter<{ tag?: string }, { tag?: string }, { count: number }> {
  return defineHttpFilter<{ tag?: string }, { tag?: string }, { count: number }>({
    apiVersion: 1,
    id,
    config: anything(),
    routeConfig: anything(),
    state: {
      create: () => ({ count: 0 }),
      reset: (state) => {
        state.count = 0;
      },
    },
    create: () => hooks,
    ...more,
  });
}

export { CONTINUE };

const running: TestProxy[] = [];
afterEach(async () => {
  for (const test of running.splice(0)) await test.stop();
});

/** A proxy that the test does not have to stop. */
export async function started(options: TestProxyOptions): Promise<TestProxy> {
  const test = await testProxy(options);
  running.push(test);
  return test;
}

/** One listener on 127.0.0.1:8080, one cluster `api`, one endpoint 10.0.0.1:80. */
export async function simple(
  options: Partial<Omit<TestProxyOptions, 'endpoints'>> & {
    answer?: Upstream['answer'];
    handler?: Partial<Parameters<typeof httpListener>[0]>;
    endpoints?: readonly string[];
    cluster?: Parameters<typeof cluster>[2];
    forward?: Parameters<typeof route>[2];
  } = {},
): Promise<TestProxy> {
  const {
    answer = (request) => ({ body: `${request.method} ${request.target}` }),
    handler,
    endpoints = ['10.0.0.1:80'],
    cluster: clusterOptions,
    forward,
    ...rest
  } = options;
  return started({
    listeners: [
      httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api', forward)], ...handler }),
    ],
    clusters: [cluster('api', endpoints, clusterOptions)],
    upstreams: Object.fromEntries(endpoints.map((address) => [address, answer])),
    ...rest,
  });
}
