import type { ConnFilterUse, HttpFilterUse } from '@tulle/filter';
import type { Cluster, FilterConfigs, HttpHandler, Route } from '@tulle/model';
import { httpListener } from '@tulle/proxy';
import type { TelemetryPlugin } from '@tulle/telemetry';
import { formatRequest, type TestRequest, type TestResponse } from './http-client.ts';
import type { FakeClock } from './fake-clock.ts';
import type { Caller } from './memory-network.ts';
import type { KeptRecord, MemoryLog, MemoryMeter } from './observers.ts';
import { testProxy } from './test-proxy.ts';
import type { Upstream, UpstreamRequest } from './upstream.ts';

/** What {@link runChain} runs. */
export interface ChainRun {
  /** The chain, in order. */
  readonly filters: readonly HttpFilterUse[];
  readonly connectionFilters?: readonly ConnFilterUse[];
  /** One request, or several that follow each other on one connection. Default `GET /`. */
  readonly request?: TestRequest | readonly TestRequest[];
  /** What the service answers. Default 200 with the body `ok`. */
  readonly upstream?: Upstream['answer'];
  /** Who calls, e.g. `{ tls: { identity: 'spiffe://…' } }`; with `tls` the listener speaks (pretended) mutual TLS. */
  readonly caller?: Caller;
  /** Overrides of the filters on the route. */
  readonly filterConfigs?: FilterConfigs;
  /** Replaces the one route `/` → the service; more routes go to the clusters `service` and `other`. */
  readonly routes?: readonly Route[];
  readonly handler?: Partial<Omit<HttpHandler, 'kind' | 'routes' | 'filters' | 'connectionFilters'>>;
  readonly cluster?: Omit<Cluster, 'name' | 'discovery'>;
  /** Endpoints of the service. Default one, `10.0.0.1:80`; the upstream serves all of them. */
  readonly endpoints?: readonly string[];
  /** Others that can be called, by address: what a filter fetches from, e.g. `{ '10.0.2.1:80': () => ({ body: '{}' }) }`. */
  readonly services?: Readonly<Record<string, Upstream['answer']>>;
  /** Addresses of host names, e.g. `{ 'issuer.example': ['10.0.2.1'] }`. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  /** The request's bytes arrive, and the service's answers leave, in pieces of this size. Default: whole. */
  readonly chunkBytes?: number;
  /** Time that passes after the requests were sent, in steps; the filters' timers fire. Default: as much as is needed, up to an hour. */
  readonly advanceMs?: number;
  readonly random?: () => number;
  /**
   * The filters work on other threads (compression), which know no virtual time: before each step of it, responses are
   * given this much real time, in milliseconds. Default 0.
   */
  readonly offThreadMs?: number;
  /** Exporters that get the records too. They are closed at the end of the run. */
  readonly telemetry?: readonly TelemetryPlugin[];
}

/** What came of it. */
export interface ChainResult {
  /** The answer to the last request; `undefined` when the connection closed without one. */
  readonly response: TestResponse | undefined;
  readonly responses: readonly TestResponse[];
  /** Every request that reached the service, attempts included. */
  readonly upstreamRequests: readonly UpstreamRequest[];
  /** Every request that reached one of {@link ChainRun.services}, by address. */
  readonly serviceRequests: Readonly<Record<string, readonly UpstreamRequest[]>>;
  readonly record: KeptRecord | undefined;
  readonly records: readonly KeptRecord[];
  readonly log: MemoryLog;
  readonly meter: MemoryMeter;
  readonly clock: FakeClock;
  /** Whether the proxy closed the connection. */
  readonly closed: boolean;
}

/** Longest time that {@link runChain} lets pass for its responses, and the step in which it does. */
const PATIENCE_MS = 3_600_000;

/**
 * Runs requests through a chain of filters in the production engine, in memory and in virtual time, and stops it.
 *
 * ```ts
 * const { response, upstreamRequests } = await runChain({ filters: [headers({ request: { set: [{ name: 'x-a', value: '1' }] } })] });
 * ```
 */
export async function runChain(run: ChainRun): Promise<ChainResult> {
  const endpoints = run.endpoints ?? ['10.0.0.1:80'];
  const answer = run.upstream ?? (() => ({ body: 'ok' }));
  const tls = run.caller?.tls !== undefined;
  const test = await testProxy({
    listeners: [
      httpListener({
        name: 'test',
        host: '127.0.0.1',
        port: 8080,
        ...run.handler,
        filters: run.filters,
        ...(run.connectionFilters === undefined ? {} : { connectionFilters: run.connectionFilters }),
        ...(tls
          ? {
              tls: {
                certificate: { kind: 'workload' as const },
                trust: { kind: 'mesh' as const },
                clientCertificate: 'accept' as const,
              },
            }
          : {}),
        routes: run.routes ?? [
          {
            name: 'all',
            match: { path: { kind: 'prefix', value: '/' } },
            action: { kind: 'forward', clusters: [{ name: 'service' }] },
            ...(run.filterConfigs === undefined ? {} : { filterConfigs: run.filterConfigs }),
          },
        ],
      }),
    ],
    clusters: ['service', 'other'].map((name) => ({
      ...run.cluster,
      name,
      discovery: {
        kind: 'static' as const,
        endpoints: (name === 'service' ? endpoints : ['10.0.9.9:80']).map((address) => ({
          address: {
            host: address.slice(0, address.lastIndexOf(':')),
            port: Number(address.slice(address.lastIndexOf(':') + 1)),
          },
        })),
      },
    })),
    upstreams: {
      ...run.services,
      ...Object.fromEntries([...endpoints, '10.0.9.9:80'].map((address) => [address, answer])),
    },
    ...(run.names === undefined ? {} : { names: run.names }),
    ...(run.random === undefined ? {} : { random: run.random }),
    ...(run.telemetry === undefined ? {} : { telemetry: run.telemetry }),
  });
  try {
    const requests =
      run.request === undefined
        ? [{}]
        : Array.isArray(run.request)
          ? (run.request as readonly TestRequest[])
          : [run.request as TestRequest];
    const client = test.client(run.caller);
    if (run.chunkBytes !== undefined) {
      client.connection.chunk(run.chunkBytes);
      client.connection.socket.incoming.chunkBytes = () => run.chunkBytes as number;
    }
    const responses: TestResponse[] = [];
    for (const request of requests) {
      client.raw(formatRequest(request), request.method ?? 'GET');
      let done = false;
      const response = client
        .response()
        .then(
          (got) => got,
          () => undefined,
        )
        .finally(() => (done = true));
      await test.clock.advance(run.advanceMs ?? 0);
      for (
        let passedMs = 0, stepMs = 10;
        !done && run.advanceMs === undefined && passedMs < PATIENCE_MS;
        passedMs += stepMs, stepMs = Math.min(stepMs * 2, 60_000)
      ) {
        if (run.offThreadMs !== undefined) await settledWithin(response, run.offThreadMs);
        if (!done) await test.clock.advance(stepMs);
      }
      if (!done && run.advanceMs !== undefined) break;
      const got = await response;
      if (got === undefined) break;
      responses.push(got);
    }
    await test.clock.settle();
    const { closed, ended } = client.connection;
    return {
      response: responses.length === requests.length ? responses.at(-1) : undefined,
      responses,
      upstreamRequests: [...endpoints, '10.0.9.9:80'].flatMap((address) => test.upstream(address).requests),
      serviceRequests: Object.fromEntries(
        Object.keys(run.services ?? {}).map((address) => [address, test.upstream(address).requests]),
      ),
      record: test.records.at(-1),
      records: test.records,
      log: test.log,
      meter: test.meter,
      clock: test.clock,
      closed: closed || ended,
    };
  } finally {
    await test.stop();
  }
}

/** Resolves when `promise` settled, or after so much real time. */
async function settledWithin(promise: Promise<unknown>, realMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([promise, new Promise((resolve) => (timer = setTimeout(resolve, realMs)))]);
  clearTimeout(timer);
}
