import type { AnyConnFilter, AnyHttpFilter } from '@tulle/filter';
import type { Answer, UpstreamRequest } from '../upstream.ts';
import type { MeshCall, MeshResponse } from './test-mesh.ts';

/** A mesh to test. */
export interface TestMeshOptions {
  /** What every sidecar has: `standardFilters` of `@tulle/standard`, and yours. */
  readonly filters: readonly (AnyHttpFilter | AnyConnFilter)[];
  /**
   * Workloads by name, or `name.namespace`: a handler, what it is made of, or several of them, such as versions. Each gets a
   * sidecar an instance. A Service of that name which selects `app: <name>` is made unless the resources have one.
   */
  readonly services: Readonly<Record<string, TestHandler | TestService | readonly TestService[]>>;
  /** Gateways that are served, by name, or `name.namespace`. Default none. */
  readonly gateways?: Readonly<Record<string, TestGateway>>;
  /** What an operator would apply: YAML, of several documents or texts. */
  readonly resources?: string | readonly string[];
  /** Default `mesh.local`. */
  readonly trustDomain?: string;
  /** What a workload without ALLOW policies does with authenticated callers. Default `allow`. */
  readonly defaultAction?: 'allow' | 'deny';
  /** Of all chance in the mesh. The same seed gives the same run. Default 1. */
  readonly seed?: number;
}

/** The process of a Gateway. TLS is pretended, so that a certificate is no more than its name. */
export interface TestGateway {
  /** Certificates that it has, `namespace/name`. Default none. */
  readonly certificates?: readonly string[];
  /** Default the mesh's. */
  readonly filters?: TestMeshOptions['filters'];
}

/** Instances of one kind. */
export interface TestService {
  /** Default: answers 200 with its instance's name. A service that only calls needs none. */
  readonly handle?: TestHandler;
  /** Becomes the label `version`. */
  readonly version?: string;
  /** Beside `app: <name>` and `version`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Default 1. */
  readonly instances?: number;
  /** Default the name. */
  readonly serviceAccount?: string;
  /** What its program listens on. Default 8080. */
  readonly port?: number;
  /** Default the mesh's: for a proxy that lacks a filter. */
  readonly filters?: TestMeshOptions['filters'];
}

/** What a program answers; of another service's response, its status and body go on. */
export type TestAnswer = Answer | MeshResponse;

/** A service's program. */
export type TestHandler = (request: ServedRequest, self: TestProgram) => TestAnswer | Promise<TestAnswer>;

/** A request as a program gets it. */
export interface ServedRequest extends UpstreamRequest {
  readonly service: string;
  readonly version: string | undefined;
  /** Name of the instance that got it. */
  readonly instance: string;
  /** How many requests this instance got before. */
  readonly index: number;
}

/** What a program can do. */
export interface TestProgram {
  /** Waits, in virtual time. */
  delay(ms: number): Promise<void>;
  /** Calls another service through its own sidecar. */
  request(call: Omit<MeshCall, 'from'>): Promise<MeshResponse>;
}
