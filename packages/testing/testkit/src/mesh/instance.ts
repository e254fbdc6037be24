import { createProxy, type Proxy } from '@tulle/proxy';
import type { NodeInfo } from '@tulle/xds-server';
import type { FakeClock } from '../fake-clock.ts';
import { HttpClient } from '../http-client.ts';
import type { MachineNetwork } from '../memory-network.ts';
import { memoryLog, type MemoryLog, type MemoryMeter, type MemoryTelemetry } from '../observers.ts';
import { seededRandom } from '../seeded-random.ts';
import { httpUpstream } from '../upstream.ts';
import { Follower, type Wire } from './follow-control-plane.ts';
import type { ServedRequest, TestHandler, TestMeshOptions, TestProgram } from './mesh-options.ts';
import type { MeshInstance } from './test-mesh.ts';
import type { ControlPlane } from '@tulle/control-plane';

/** Where every sidecar takes calls, on its own address (Istio's number). */
const INBOUND_PORT = 15_006;
/** The first of the local ports at which programs find what they call. */
const FIRST_UPSTREAM_PORT = 9_001;

/** What an instance is made of. */
export interface InstanceSpec {
  readonly name: string;
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly version: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly port: number;
  readonly handle: TestHandler;
  readonly filters: TestMeshOptions['filters'];
  readonly identity: string;
  readonly host: string;
  readonly seed: number;
}

/** What it lives in. */
export interface Surroundings {
  readonly clock: FakeClock;
  readonly machine: MachineNetwork;
  readonly controlPlane: ControlPlane;
  readonly wire: Wire;
  /** Kept records go here, in the order in which they come. */
  readonly telemetry: (instance: Instance) => MemoryTelemetry;
  readonly program: (instance: Instance) => TestProgram;
}

/** A program, its sidecar, and the machine that they run on. */
export class Instance implements MeshInstance {
  readonly spec: InstanceSpec;
  readonly log: MemoryLog = memoryLog();
  readonly requests: ServedRequest[] = [];
  handle: TestHandler;
  readonly #around: Surroundings;
  readonly #observer: MemoryTelemetry;
  readonly #proxy: Proxy;
  readonly #ports = new Map<string, number>();
  readonly #idle = new Map<number, HttpClient[]>();
  #follower: Follower | undefined;
  #ready = true;
  #ended = false;

  constructor(spec: InstanceSpec, around: Surroundings) {
    this.spec = spec;
    this.handle = spec.handle;
    this.#around = around;
    this.#observer = around.telemetry(this);
    const program = around.program(this);
    httpUpstream(around.machine, `127.0.0.1:${spec.port}`, async (request) => {
      const { service, version, name } = spec;
      const served: ServedRequest = {
        ...request,
        service,
        version,
        instance: name,
        index: this.requests.length,
      };
      this.requests.push(served);
      const answer = await this.handle(served, program);
      return typeof answer === 'object' && 'tookMs' in answer
        ? { status: answer.status, body: answer.body }
        : answer;
    });
    this.#proxy = createProxy({
      registry: spec.filters,
      transport: around.machine.transport,
      clock: around.clock,
      random: seededRandom(spec.seed),
      log: this.log,
      telemetry: [this.#observer],
      danglingReferences: 'allow', // as in a sidecar
    });
  }

  get name(): string {
    return this.spec.name;
  }
  get service(): string {
    return this.spec.service;
  }
  get version(): string | undefined {
    return this.spec.version;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.spec.labels;
  }
  get identity(): string {
    return this.spec.identity;
  }
  get address(): string {
    return `${this.spec.host}:${INBOUND_PORT}`;
  }
  get meter(): MemoryMeter {
    return this.#observer.meter;
  }
  get refusals(): readonly string[] {
    return this.#follower?.refusals ?? [];
  }
  get ended(): boolean {
    return this.#ended;
  }
  get busy(): boolean {
    return this.#follower?.busy === true;
  }

  async start(): Promise<void> {
    await this.#proxy.start();
    const { clock, controlPlane, wire } = this.#around;
    this.#follower = new Follower(this.#proxy, clock, wire, controlPlane.provider, this.#node());
  }

  async settled(): Promise<void> {
    await this.#follower?.settled();
  }

  /** A connection to what the program finds a Service at; made known to the control plane when it is asked for first. */
  async client(
    service: string,
    port: number | undefined,
  ): Promise<{ readonly client: HttpClient; done(): void }> {
    if (this.#ended) throw new Error(`${this.name} has ended and calls nobody`);
    const key = port === undefined ? service : `${service}:${port}`;
    let local = this.#ports.get(key);
    if (local === undefined) {
      local = FIRST_UPSTREAM_PORT + this.#ports.size;
      this.#ports.set(key, local);
      this.#follower?.describe(this.#node());
      this.#around.controlPlane.flush();
    }
    await this.settled();
    const idle = this.#idle.get(local) ?? [];
    this.#idle.set(local, idle);
    let client = idle.pop();
    while (client !== undefined && (client.connection.closed || client.connection.ended)) client = idle.pop();
    const chosen = client ?? new HttpClient(this.#around.machine.connect(`127.0.0.1:${local}`));
    return { client: chosen, done: () => void idle.push(chosen) };
  }

  async kill(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#follower?.close('lost');
    await this.#proxy.stop();
    this.#around.controlPlane.flush();
  }

  async leave(): Promise<void> {
    if (this.#ended) return;
    this.#ready = false;
    this.#follower?.describe(this.#node());
    this.#around.controlPlane.flush();
    this.#ended = true;
    this.#follower?.close('clean');
    await this.#proxy.stop();
    this.#around.controlPlane.flush();
  }

  async stop(): Promise<void> {
    this.#ended = true;
    await this.#proxy.stop();
  }

  #node(): NodeInfo {
    const { name, service, namespace, serviceAccount, labels, port, identity, host, filters } = this.spec;
    return {
      id: `${identity}~${name}`,
      cluster: service,
      metadata: {
        workload: service,
        namespace,
        serviceAccount,
        labels,
        ports: [port],
        instance: name,
        ready: this.#ready,
        inbound: { address: host, port: INBOUND_PORT },
        upstreams: [...this.#ports].map(([key, localPort]) => {
          const [to = '', servicePort] = key.split(':');
          return {
            service: to,
            localPort,
            ...(servicePort === undefined ? {} : { servicePort: Number(servicePort) }),
          };
        }),
      },
      identity,
      userAgent: 'tulle-testkit',
      extensions: filters.map(({ definition }) => `${definition.id}@${definition.version ?? '0.0.0'}`),
    };
  }
}
