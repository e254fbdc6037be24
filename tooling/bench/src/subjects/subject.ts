import type { Pki } from '../pki.ts';
import type { Scenario } from '../scenarios.ts';

/** One side of a proxy. */
export interface Side {
  readonly protocol: 'http1' | 'http2';
  /** Mutual TLS 1.3. */
  readonly tls: boolean;
}

/** One proxy: where it listens and where it sends. */
export interface Hop {
  readonly role: 'hop' | 'outbound' | 'inbound';
  readonly listenPort: number;
  readonly downstream: Side;
  readonly upstreamPort: number;
  readonly upstream: Side;
}

/** What a subject's proxy is started with. */
export interface SubjectSetup {
  readonly scenario: Scenario;
  readonly hop: Hop;
  /** Takes traces over OTLP/HTTP. */
  readonly collectorPort: number;
  readonly pki: Pki;
  /** Scratch directory of its own. */
  readonly directory: string;
  readonly profile: string | undefined;
  /** Runs a command pinned to the subject's core; output goes to a log file in the directory. */
  spawn(command: string, args: readonly string[]): { readonly pid: number };
}

/** A running proxy. */
export interface RunningSubject {
  /** The processes whose CPU time counts. */
  pids(): readonly number[];
}

/** Something that is measured. */
export interface Subject {
  readonly name: string;
  /** `bare` forwards and nothing else; `observed` tells of it besides; `mesh` has what a mesh's hop has on. */
  readonly variant: 'bare' | 'observed' | 'mesh' | 'plain';
  /** What is switched on, printed with the figures. */
  readonly on: string;
  /** What is spoken between two of it. */
  readonly between: 'http1' | 'http2';
  /** Whether there is no proxy at all. */
  readonly direct?: boolean;
  /** What is different in this scenario, printed with the figures. */
  note?(scenario: Scenario): string | undefined;
  /** What it asks the origin in; default as the scenario says. */
  upstream?(scenario: Scenario): 'http1' | 'http2';
  /** Why it does not take part in this scenario, or `undefined`. */
  unfit?(scenario: Scenario): string | undefined;
  /** Why it cannot be measured here, or `undefined`. */
  missing(): string | undefined | Promise<string | undefined>;
  start(setup: SubjectSetup): RunningSubject | Promise<RunningSubject>;
}

/** Paths that every mesh variant lets pass. */
export const ALLOWED_PREFIXES: readonly string[] = [
  '/items',
  '/orders',
  '/reviews',
  '/svc-',
  '/shop.Orders/',
];

/** Names of the scenario's many routes or hosts, and of the cluster of each; empty where there is one. */
export function many(
  scenario: Scenario,
): readonly { readonly path?: string; readonly host?: string; readonly cluster: string }[] {
  if (scenario.many === undefined) return [];
  if ('routes' in scenario.many)
    return Array.from({ length: scenario.many.routes }, (_, i) => ({ path: `/svc-${i}`, cluster: 'origin' }));
  return Array.from({ length: scenario.many.clusters }, (_, i) => ({
    host: `svc-${i}.example`,
    cluster: `origin-${i}`,
  }));
}
