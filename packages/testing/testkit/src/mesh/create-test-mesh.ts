import { createControlPlane } from '@tulle/control-plane';
import {
  analyze,
  filterCatalogue,
  formatDiagnostic,
  readResources,
  STANDARD_FILTERS,
  type Diagnostic,
  type ReadResult,
  type Resource,
} from '@tulle/resources';
import { fakeClock } from '../fake-clock.ts';
import { HttpClient } from '../http-client.ts';
import { memoryNetwork } from '../memory-network.ts';
import { memoryTelemetry, type MemoryTelemetry } from '../observers.ts';
import type { TestConnection } from '../test-connection.ts';
import { Wire } from './follow-control-plane.ts';
import { GatewayProcess } from './gateway-process.ts';
import { Instance } from './instance.ts';
import { gatewaySpecs, instanceSpecs } from './instance-specs.ts';
import type { TestMeshOptions } from './mesh-options.ts';
import type { GatewayCall, MeshCall, MeshRecord, MeshResponse, TestMesh } from './test-mesh.ts';
import { VirtualTime } from './virtual-time.ts';

/**
 * Starts a mesh in memory and virtual time. Stop it at the end of the test, or declare it with `await using`.
 *
 * ```ts
 * await using mesh = await createTestMesh({
 *   filters: standardFilters,
 *   services: { web: {}, orders: [{ version: 'v1' }, { version: 'v2' }] },
 *   resources: readFileSync('canary.yaml', 'utf8'),
 * });
 * const { status } = await mesh.request({ from: 'web', to: 'orders', path: '/' });
 * mesh.calls('orders'); // { v1: 1, v2: 0 }
 * ```
 * @throws Error with every fault of the resources
 */
export async function createTestMesh(options: TestMeshOptions): Promise<TestMesh> {
  const trustDomain = options.trustDomain ?? 'mesh.local';
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const time = new VirtualTime(clock);
  const wire = new Wire();
  const specs = instanceSpecs(options, trustDomain);
  const controlPlane = createControlPlane({
    trustDomain,
    clock,
    ...(options.defaultAction === undefined ? {} : { defaultAction: options.defaultAction }),
    // The services of the test are what an operator would have granted by join tokens.
    mayClaim: (account, labels) =>
      specs.some(
        (spec) =>
          `${spec.namespace}/${spec.serviceAccount}` === account &&
          Object.entries(labels).every(([label, value]) => spec.labels[label] === value),
      ),
  });
  // Filters of the test are known as those of an allow-list would be.
  const known = new Set(STANDARD_FILTERS.map(({ id }) => id));
  const filters = filterCatalogue([
    ...STANDARD_FILTERS,
    ...options.filters.flatMap(({ definition: { id, config } }) =>
      known.has(id) ? [] : [{ id, configSchema: config.jsonSchema }],
    ),
  ]);
  const records: MeshRecord[] = [];
  const instances: Instance[] = [];
  const gateways: GatewayProcess[] = [];
  const proxies = (): readonly (Instance | GatewayProcess)[] => [...instances, ...gateways];

  const settled = async (): Promise<void> => {
    controlPlane.flush();
    do {
      await Promise.all(proxies().map(async (one) => one.settled()));
      await clock.settle();
      controlPlane.flush();
    } while (proxies().some(({ busy }) => busy));
  };

  const read = async (resources: string | readonly string[]): Promise<ReadResult> => {
    const texts = typeof resources === 'string' ? [resources] : resources;
    const result = await readResources(
      texts.map((text, i) => ({ text, file: texts.length === 1 ? 'resources' : `resources[${i}]` })),
      { filters },
    );
    const faults = result.diagnostics.filter((d) => d.class === 'invalid');
    if (faults.length > 0) throw new Error(faults.map(formatDiagnostic).join('\n'));
    return result;
  };

  const put = async (resources: readonly Resource[]): Promise<void> => {
    const before = new Set(proxies().flatMap(({ refusals }) => refusals));
    const { refused } = controlPlane.apply(resources, []);
    if (refused.length > 0) throw new Error(refused.map(formatDiagnostic).join('\n'));
    await settled();
    const refusals = proxies().flatMap((one) =>
      one.refusals.filter((reason) => !before.has(reason)).map((reason) => `${one.name} refuses ${reason}`),
    );
    if (refusals.length > 0) throw new Error(refusals.join('\n'));
  };

  const apply = async (resources: string | readonly string[]): Promise<readonly Diagnostic[]> => {
    const result = await read(resources);
    await put(result.resources.map(({ resource }) => resource));
    return analyze(result, {
      context: controlPlane.resources().map((held) => held.resource),
      trustDomain,
      filters,
    });
  };

  const ofService = (name: string): Instance[] => {
    const found = instances.filter(
      (one) => one.service === name || `${one.service}.${one.spec.namespace}` === name,
    );
    if (found.length === 0)
      throw new Error(
        `there is no service ${name}; there are ${[...new Set(instances.map((i) => i.service))].join(', ')}`,
      );
    return found;
  };

  const gatewayOf = (name: string): GatewayProcess => {
    const found = gateways.find((one) => one.name === name || `${one.name}.${one.spec.namespace}` === name);
    if (found === undefined)
      throw new Error(
        `there is no gateway ${name}; there are ${gateways.map((one) => one.name).join(', ') || 'none'}`,
      );
    return found;
  };

  const connectTo = ({
    gateway,
    port = 80,
    address,
    tls,
  }: Pick<GatewayCall, 'gateway' | 'port' | 'address' | 'tls'>): TestConnection =>
    network.connect(`${address ?? gatewayOf(gateway).spec.host}:${port}`, tls === undefined ? {} : { tls });

  const exchange = async (
    client: HttpClient,
    call: MeshCall | GatewayCall,
    host: string,
  ): Promise<MeshResponse> => {
    const startMs = clock.nowMs();
    const headers: readonly (readonly [string, string])[] = Array.isArray(call.headers)
      ? (call.headers as readonly (readonly [string, string])[])
      : Object.entries(call.headers ?? {});
    const response = await client.request({
      ...call,
      headers: headers.some(([name]) => name.toLowerCase() === 'host')
        ? headers
        : [['host', host], ...headers],
    });
    return { ...response, tookMs: clock.nowMs() - startMs };
  };

  const sendFrom = async (instance: Instance, call: MeshCall): Promise<MeshResponse> => {
    const { client, done } = await instance.client(call.to, call.port);
    const response = await exchange(client, call, call.to);
    done();
    return response;
  };

  const send = async (call: MeshCall | GatewayCall): Promise<MeshResponse> => {
    if ('gateway' in call) {
      const outside = connectTo(call);
      const response = await exchange(new HttpClient(outside), call, call.host ?? call.gateway);
      outside.close();
      return response;
    }
    const { from } = call;
    if (typeof from === 'string') {
      const caller =
        instances.find(({ name }) => name === from) ?? ofService(from).find(({ ended }) => !ended);
      if (caller === undefined) throw new Error(`every instance of ${from} has ended`);
      return sendFrom(caller, call);
    }
    const target = ofService(call.to).find(({ ended }) => !ended);
    if (target === undefined) throw new Error(`every instance of ${call.to} has ended`);
    const { identity } = from;
    const connection = network.connect(target.address, identity === undefined ? {} : { tls: { identity } });
    const response = await exchange(new HttpClient(connection), call, call.to);
    connection.close();
    return response;
  };

  /** Keeps what a proxy records, and says whose it is. */
  const recording = (instance: string, service: string): MemoryTelemetry => {
    const observer = memoryTelemetry();
    const { push } = observer.records;
    observer.records.push = (...kept) => {
      records.push(...kept.map((record) => ({ ...record, instance, service })));
      return push.apply(observer.records, kept);
    };
    return observer;
  };

  for (const spec of specs)
    instances.push(
      new Instance(spec, {
        clock,
        controlPlane,
        wire,
        machine: network.machine({ address: spec.host, identity: spec.identity }),
        program: (self) => ({
          delay: async (ms) => new Promise((resolve) => void clock.setTimer(ms, resolve)),
          request: async (call) => sendFrom(self, { ...call, from: self.name }),
        }),
        telemetry: (self) => recording(self.name, self.service),
      }),
    );
  for (const spec of gatewaySpecs(options, trustDomain))
    gateways.push(
      new GatewayProcess(spec, {
        clock,
        controlPlane,
        wire,
        machine: network.machine({ address: spec.host, identity: spec.identity }),
        telemetry: recording(spec.name, spec.name),
      }),
    );

  const mesh: TestMesh = {
    clock,
    controlPlane,
    request: async (call) =>
      time.until(
        send(call),
        `${call.method ?? 'GET'} ${call.path ?? '/'} to ${'gateway' in call ? call.gateway : call.to}`,
      ),
    send,
    connect: connectTo,
    apply,
    async remove(...keys) {
      const { refused, changed } = controlPlane.apply([], keys);
      const missing = keys.filter((key) => !changed.includes(key));
      if (refused.length > 0) throw new Error(refused.map(formatDiagnostic).join('\n'));
      if (missing.length > 0) throw new Error(`there is no ${missing.join(', ')}`);
      await settled();
    },
    async advance(ms) {
      await clock.advance(ms);
      await settled();
    },
    instances(service, version) {
      const found = service === undefined ? instances : ofService(service);
      return version === undefined ? found : found.filter((one) => one.version === version);
    },
    calls(service) {
      const counts: Record<string, number> = {};
      for (const { version = '-', requests } of ofService(service))
        counts[version] = (counts[version] ?? 0) + requests.length;
      return counts;
    },
    records: (service) =>
      service === undefined ? [...records] : records.filter((r) => r.service === service),
    forget() {
      records.length = 0;
      for (const { requests } of instances) requests.length = 0;
    },
    status: () => controlPlane.status(),
    async stop() {
      await Promise.all(proxies().map(async (one) => one.stop()));
      await controlPlane.close();
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
    },
  };

  try {
    const first =
      options.resources === undefined ? [] : (await read(options.resources)).resources.map((r) => r.resource);
    await put([...missingServices(specs, first), ...first]);
    await Promise.all(proxies().map(async (one) => one.start()));
    await settled();
    const refusals = proxies().flatMap((one) =>
      one.refusals.map((reason) => `${one.name} refuses ${reason}`),
    );
    if (refusals.length > 0) throw new Error(refusals.join('\n'));
    return mesh;
  } catch (error) {
    await mesh.stop();
    throw error;
  }
}

/** A Service for each name that the resources have none for. */
function missingServices(specs: readonly Instance['spec'][], given: readonly Resource[]): Resource[] {
  const there = new Set(
    given
      .filter(({ kind }) => kind === 'Service')
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  );
  const missing = new Map<string, Resource>();
  for (const { service: name, namespace } of specs)
    if (!there.has(`${namespace}/${name}`))
      missing.set(`${namespace}/${name}`, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { selector: { app: name }, ports: [{ port: 80 }] },
      });
  return [...missing.values()];
}
