import { createProxy, type Proxy, type ProxyOptions } from '@tulle/proxy';
import type { Address } from '@tulle/model';
import { fakeClock, type FakeClock } from './fake-clock.ts';
import { HttpClient } from './http-client.ts';
import { memoryNetwork, type Caller, type MemoryNetwork } from './memory-network.ts';
import {
  memoryLog,
  memoryTelemetry,
  type KeptRecord,
  type MemoryLog,
  type MemoryMeter,
} from './observers.ts';
import { seededRandom } from './seeded-random.ts';
import type { TestConnection } from './test-connection.ts';
import { httpUpstream, type Upstream } from './upstream.ts';

/** What a test proxy is made of: options of `createProxy`, and the services behind it. */
export interface TestProxyOptions extends Omit<ProxyOptions, 'transport' | 'clock' | 'log'> {
  /** By address, e.g. `{ '10.0.0.1:80': () => ({ body: 'ok' }) }`. */
  readonly upstreams?: Readonly<Record<string, Upstream['answer']>>;
  /** Addresses of host names. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  /** Share a network and clock with another proxy, to make a mesh. */
  readonly network?: MemoryNetwork;
  readonly clock?: FakeClock;
}

/** A proxy on a memory network under a fake clock. */
export interface TestProxy {
  readonly proxy: Proxy;
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly log: MemoryLog;
  readonly meter: MemoryMeter;
  readonly records: readonly KeptRecord[];
  /** A connection to a listener (default: the first). */
  connect(caller?: Caller & { readonly listener?: string }): TestConnection;
  /** The same, speaking HTTP. */
  client(caller?: Caller & { readonly listener?: string }): HttpClient;
  /** A service by its address. */
  upstream(address: string): Upstream;
  stop(): Promise<void>;
}

/** Starts a proxy in memory. Stop it at the end of the test. */
export async function testProxy(options: TestProxyOptions): Promise<TestProxy> {
  const {
    upstreams = {},
    names = {},
    network: shared,
    clock: sharedClock,
    telemetry = [],
    ...rest
  } = options;
  const clock = sharedClock ?? fakeClock();
  const network = shared ?? memoryNetwork(clock);
  for (const [name, addresses] of Object.entries(names)) network.names.set(name, addresses);
  const services = new Map(
    Object.entries(upstreams).map(([address, answer]) => [address, httpUpstream(network, address, answer)]),
  );
  const log = memoryLog();
  const observer = memoryTelemetry();
  const proxy = createProxy({
    random: seededRandom(),
    ...rest,
    transport: network.transport,
    clock,
    log,
    telemetry: [observer, ...telemetry],
  });
  await proxy.start();
  const addressOf = (listener: string | undefined): Address => {
    const addresses = proxy.addresses();
    const address = listener === undefined ? Object.values(addresses)[0] : addresses[listener];
    if (address === undefined)
      throw new Error(
        `the proxy has no listener ${listener ?? ''}; it has ${Object.keys(addresses).join(', ')}`,
      );
    return address;
  };
  return {
    proxy,
    clock,
    network,
    log,
    meter: observer.meter,
    records: observer.records,
    connect: ({ listener, ...caller } = {}) => network.connect(addressOf(listener), caller),
    client: ({ listener, ...caller } = {}) => new HttpClient(network.connect(addressOf(listener), caller)),
    upstream(address) {
      const service = services.get(address);
      if (service === undefined)
        throw new Error(`no upstream was made at ${address}; there is ${[...services.keys()].join(', ')}`);
      return service;
    },
    stop: () => proxy.stop(),
  };
}
