import { CONTINUE, DYNAMIC_METADATA, defineHttpFilter } from '@tulle/filter';
import type { ExtProcFilterConfig, ExtProcRouteConfig } from '@tulle/model';
import {
  fakeClock,
  httpUpstream,
  memoryNetwork,
  testProxy,
  type FakeClock,
  type MemoryNetwork,
  type TestProxy,
  type TestRequest,
  type TestResponse,
  type Upstream,
} from '@tulle/testkit';
import { jsonSchema } from '@tulle/schema';
import { afterEach } from 'vitest';
import { pass, processor, type Processor, type Said } from './processor.ts';
import { extProc } from '../src/index.ts';

const running: TestProxy[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

export interface Setup {
  readonly answer?: Processor['answer'];
  readonly config?: Partial<ExtProcFilterConfig>;
  readonly route?: ExtProcRouteConfig;
  readonly service?: Upstream['answer'];
}

export const echo: Upstream['answer'] = ({ method, target, body, headers }) => ({
  headers: { 'content-type': 'text/plain', 'x-service': 'yes' },
  chunks: [
    `${method} ${target} ${body}`,
    ...headers.filter(([name]) => name === 'x-a').map(([, value]) => ` a=${value}`),
  ],
});

/** What runs. */
export interface Opened {
  readonly proxy: TestProxy;
  readonly upstream: Upstream;
  /** What a later filter knew of each request. */
  readonly known: readonly unknown[];
}

/** A proxy with the filter and a service, on a network on which there may be a processor. */
export async function openWith(
  clock: FakeClock,
  network: MemoryNetwork,
  { config = {}, route, service = echo }: Setup = {},
): Promise<Opened> {
  const upstream = httpUpstream(network, '10.0.0.1:80', service);
  const known: unknown[] = [];
  const shows = defineHttpFilter({
    apiVersion: 1,
    id: 'shows',
    config: jsonSchema<object>({ type: 'object' }),
    create: () => ({
      requestHeaders(stream) {
        known.push(stream.get(DYNAMIC_METADATA));
        return CONTINUE;
      },
    }),
  });
  const paths = ['/other', '/'] as const;
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
                extProc({ service: { cluster: 'proc' }, ...config }, { name: 'ext-proc' }),
                shows({}),
              ],
              routes: {
                name: 'all',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: paths.map((value) => ({
                      name: value,
                      match: { path: { kind: 'prefix', value } },
                      action: { kind: 'forward', clusters: [{ name: 'service' }] },
                      ...(route && { filterConfigs: { 'ext-proc': route } }),
                    })),
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
      ...['proc', 'second'].map((name) => ({
        name,
        pool: { protocol: 'http2' as const },
        discovery: { kind: 'static' as const, endpoints: [{ address: { host: '10.0.9.1', port: 9000 } }] },
      })),
    ],
  });
  running.push(proxy);
  return { proxy, upstream, known };
}

/** The same with a processor. */
export interface OpenedAll extends Opened {
  readonly proc: Processor;
  readonly clock: FakeClock;
  /** Asks, and waits for the answer in virtual time. @returns `undefined` where there is no whole one */
  ask(request?: TestRequest, withinMs?: number): Promise<TestResponse | undefined>;
  /** A metric of the filter's. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

/** The same with a processor that lets all pass but for what `answer` says, in virtual time. */
export async function open({ answer = pass, ...setup }: Setup = {}): Promise<OpenedAll> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const proc = processor(network, '10.0.9.1:9000', answer);
  const { proxy, upstream, known } = await openWith(clock, network, setup);
  return {
    proxy,
    proc,
    upstream,
    known,
    clock,
    async ask(request: TestRequest = {}, withinMs = 2_000): Promise<TestResponse | undefined> {
      let answered: TestResponse | undefined;
      const asked = proxy
        .client()
        .request(request)
        .then(
          (response) => void (answered = response),
          () => undefined,
        );
      for (let ms = 0; ms < withinMs && answered === undefined; ms += 10) await clock.advance(10);
      await Promise.race([asked, clock.settle()]);
      return answered;
    },
    value: (name: string, labels = {}) =>
      proxy.meter.value(`tulle_filter_ext_proc_${name}`, { filter: 'ext-proc', ...labels }),
  };
}

/** Answers one kind of message, and lets the others pass. */
export const on =
  (part: string, said: Said): Processor['answer'] =>
  (request) =>
    request.request.case === part ? said : pass(request);

/** A field to be set. */
export function set(key: string, value: string, more: object = {}): object {
  return { header: { key, rawValue: Buffer.from(value) }, ...more };
}

/** An answer to a part. */
export function answered(
  part: 'requestHeaders' | 'responseHeaders' | 'requestBody' | 'responseBody',
  common: object,
  more: object = {},
): Exclude<Said, string | Buffer | readonly unknown[]> {
  return { response: { case: part as 'requestBody', value: { response: common } }, ...more };
}

/** Fields by name. */
export function fieldsOf(
  map: { readonly headers: readonly { readonly key: string; readonly rawValue: Uint8Array }[] } | undefined,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (map?.headers ?? []).map(({ key, rawValue }) => [key, Buffer.from(rawValue).toString()]),
  );
}
