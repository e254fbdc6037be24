import type { ControlPlane } from '@tulle/control-plane';
import { createProxy, type Proxy } from '@tulle/proxy';
import type { NodeInfo } from '@tulle/xds-server';
import type { FakeClock } from '../fake-clock.ts';
import type { MachineNetwork } from '../memory-network.ts';
import { memoryLog, type MemoryLog, type MemoryTelemetry } from '../observers.ts';
import { seededRandom } from '../seeded-random.ts';
import { Follower, type Wire } from './follow-control-plane.ts';
import type { TestMeshOptions } from './mesh-options.ts';

/** What the process of a Gateway is made of. */
export interface GatewayProcessSpec {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly identity: string;
  readonly certificates: readonly string[];
  readonly filters: TestMeshOptions['filters'];
  readonly seed: number;
}

/** What it lives in. */
export interface GatewaySurroundings {
  readonly clock: FakeClock;
  readonly machine: MachineNetwork;
  readonly controlPlane: ControlPlane;
  readonly wire: Wire;
  readonly telemetry: MemoryTelemetry;
}

/** The process that serves a Gateway. */
export class GatewayProcess {
  readonly spec: GatewayProcessSpec;
  readonly log: MemoryLog = memoryLog();
  readonly #around: GatewaySurroundings;
  readonly #proxy: Proxy;
  #follower: Follower | undefined;

  constructor(spec: GatewayProcessSpec, around: GatewaySurroundings) {
    this.spec = spec;
    this.#around = around;
    this.#proxy = createProxy({
      registry: spec.filters,
      transport: around.machine.transport,
      clock: around.clock,
      random: seededRandom(spec.seed),
      log: this.log,
      telemetry: [around.telemetry],
      danglingReferences: 'allow', // as in a gateway
    });
  }

  get name(): string {
    return this.spec.name;
  }
  get refusals(): readonly string[] {
    return this.#follower?.refusals ?? [];
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

  async stop(): Promise<void> {
    await this.#proxy.stop();
  }

  #node(): NodeInfo {
    const { name, namespace, host, identity, certificates, filters } = this.spec;
    return {
      id: `${identity}~${name}`,
      cluster: name,
      metadata: {
        workload: name,
        namespace,
        serviceAccount: name,
        instance: name,
        gateway: { address: host, certificates: { directory: '/certificates', names: certificates } },
      },
      identity,
      userAgent: 'tulle-testkit',
      extensions: filters.map(({ definition }) => `${definition.id}@${definition.version ?? '0.0.0'}`),
    };
  }
}
