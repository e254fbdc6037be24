import type { ControlPlane, MeshStatus } from '@tulle/control-plane';
import type { Diagnostic } from '@tulle/resources';
import type { FakeClock } from '../fake-clock.ts';
import type { TestRequest, TestResponse } from '../http-client.ts';
import type { KeptRecord, MemoryLog, MemoryMeter } from '../observers.ts';
import type { TestConnection } from '../test-connection.ts';
import type { ServedRequest, TestHandler } from './mesh-options.ts';

/** A call from one service to another. */
export interface MeshCall extends TestRequest {
  /**
   * Who calls: a service, through the sidecar of its first instance (or of one, by its name); or somebody without sidecar, who
   * connects to an instance of `to` directly, with the identity that is given or in plain text.
   */
  readonly from: string | { readonly identity?: string };
  /** A Service, or `name.namespace`. */
  readonly to: string;
  /** Port of the Service. Default its first. */
  readonly port?: number;
}

/** A call of the world to a Gateway. */
export interface GatewayCall extends TestRequest {
  /** A Gateway of the mesh, or `name.namespace`. */
  readonly gateway: string;
  /** Port of one of its listeners. Default 80. */
  readonly port?: number;
  /** Field `host`, where there is no header of that name. Default the Gateway's name. */
  readonly host?: string;
  /** Where it listens, where that is not its process's own address. */
  readonly address?: string;
  /** Over TLS. */
  readonly tls?: { readonly serverName?: string; readonly identity?: string };
}

/** What came back. */
export interface MeshResponse extends TestResponse {
  /** Virtual time from the request to its whole response. */
  readonly tookMs: number;
}

/** A record, and whose it is. */
export interface MeshRecord extends KeptRecord {
  /** Name of the instance whose sidecar made it. */
  readonly instance: string;
  readonly service: string;
}

/** One instance of a service, with its sidecar. */
export interface MeshInstance {
  /** `<service>-<version>-<number>`. */
  readonly name: string;
  readonly service: string;
  readonly version: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Its SPIFFE id. */
  readonly identity: string;
  /** Where its sidecar takes calls. */
  readonly address: string;
  /** What its program answers from now on. */
  handle: TestHandler;
  /** Every request that its program got, attempts included. */
  readonly requests: readonly ServedRequest[];
  /** Of its sidecar. */
  readonly log: MemoryLog;
  readonly meter: MemoryMeter;
  /** Why its sidecar refuses what the control plane sent last; empty when it took it. */
  readonly refusals: readonly string[];
  /** Ends without a word: its connections break, new ones are refused, the control plane loses it. */
  kill(): Promise<void>;
  /** Ends as it should: first out of the mesh, then away. */
  leave(): Promise<void>;
}

/**
 * A whole mesh in one test: control plane, xDS translation and engines are the production code; network, time and chance
 * are the test's. TLS is pretended, identities and what follows from them are not.
 */
export interface TestMesh {
  readonly clock: FakeClock;
  /** For what has no shorter way here. */
  readonly controlPlane: ControlPlane;
  /**
   * Makes a call; virtual time goes on as far as its answer needs (backoff, timeouts, delays), at most an hour.
   * @throws Error when the connection ends without a response
   */
  request(call: MeshCall | GatewayCall): Promise<MeshResponse>;
  /** The same, while time stands still: `advance` moves it. */
  send(call: MeshCall | GatewayCall): Promise<MeshResponse>;
  /** Connects to a listener of a Gateway, and speaks what it likes. */
  connect(to: Pick<GatewayCall, 'gateway' | 'port' | 'address' | 'tls'>): TestConnection;
  /**
   * As `tulle apply`: all of it, or nothing. Resolves when every proxy that it concerns has it.
   * @returns findings, as `tulle analyze` would print
   * @throws Error with every fault, or with what a proxy has against it
   */
  apply(resources: string | readonly string[]): Promise<readonly Diagnostic[]>;
  /** Removes resources, e.g. `HTTPRoute/default/orders`. */
  remove(...keys: readonly string[]): Promise<void>;
  /** Lets virtual time pass: health checks, ejections, rate limits' tokens. */
  advance(ms: number): Promise<void>;
  /** Instances, of a service and version where one is named. @throws Error when there is none of that name */
  instances(service?: string, version?: string): readonly MeshInstance[];
  /** How many requests the programs of a service got, by version (`-` for those without one). */
  calls(service: string): Readonly<Record<string, number>>;
  /** Records of every sidecar so far, oldest first; of one service where it is named. */
  records(service?: string): readonly MeshRecord[];
  /** Forgets requests and records: what is counted from here on is new. */
  forget(): void;
  status(): MeshStatus;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
