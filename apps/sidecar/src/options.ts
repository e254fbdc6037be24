import type { Log } from '@tulle/filter';
import type { VerifiedFilters } from '@tulle/filter-loader';
import type { Address, Locality, TcpAddress } from '@tulle/model';
import type { AccessLogFormat } from '@tulle/telemetry-access-log';
import type { OverloadOptions } from '@tulle/proxy';
import type { LogLevel } from '@tulle/supervisor';
import type { OtlpOptions } from '@tulle/telemetry-otlp';
import type { DialectName } from '@tulle/telemetry-prometheus';
import type { Capability } from './capabilities.ts';
import type { CaptureOptions } from './capture/capture-options.ts';
import type { SidecarProgress } from './progress.ts';
import type { ProxyRole } from './role.ts';
import type { Drain } from './drain.ts';

/** A port of the program beside the sidecar. */
export interface WorkloadPortOption {
  readonly port: number;
  readonly name?: string;
  /** Default `http`. */
  readonly appProtocol?: string;
}

/** A service that the program calls through the sidecar. */
export interface UpstreamOption {
  /** Name, or `name.namespace`. */
  readonly service: string;
  /** Port of the Service; default: its only one. */
  readonly servicePort?: number;
  /** Where the program finds it on this machine; 0 lets the system choose, and the number is kept for the next start. */
  readonly localPort: number;
  /** Default `127.0.0.1`. */
  readonly address?: string;
}

/** Where the control plane is. */
export interface ControlPlaneOption {
  /** `host:port` of xDS; several are tried in turn. */
  readonly xds: readonly string[];
  /** `host:port` of the CA; default the first of `xds`, where one server offers both. */
  readonly ca?: string;
  readonly trustDomain: string;
}

/** A collector of OpenTelemetry, see `@tulle/telemetry-otlp`. */
export interface SidecarOtlp extends Pick<
  OtlpOptions,
  'endpoint' | 'protocol' | 'headers' | 'timeoutMs' | 'compression' | 'resource' | 'traces' | 'metrics'
> {
  /**
   * Whether the `OTEL_*` variables of this process say what is absent here. Default false: beside a program they are the
   * program's.
   */
  readonly environment?: boolean;
}

/** What is reported of requests beside Prometheus metrics, and in which words. */
export interface SidecarTelemetry {
  /** Format of the access log: `@tulle/telemetry-access-log`. Default: JSON of Tulle's. */
  readonly accessLogFormat?: AccessLogFormat;
  /** Vocabularies of the request metrics. Default `['native']`; `istio` is for its dashboards and Kiali. */
  readonly metricsDialects?: readonly DialectName[];
  /** Default: no OpenTelemetry. */
  readonly otlp?: SidecarOtlp;
}

/** Cluster of a proxy that does not say in which it runs: the mesh as a whole. */
export const DEFAULT_CLUSTER = 'mesh';

/** Options of {@link startSidecar}. */
export interface SidecarOptions {
  /** Name of the workload. */
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Default the name (decision D14). */
  readonly serviceAccount?: string;
  /** Services select by these. Default `{ app: name }`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What the program listens on. Empty for one that only calls others. */
  readonly ports: readonly WorkloadPortOption[];
  readonly upstreams?: readonly UpstreamOption[];
  /** Absent: the program finds others at the local ports of `upstreams`, and is found at `inbound` alone. */
  readonly capture?: CaptureOptions;
  /** Absent: a sidecar. With one there is no inbound address. */
  readonly role?: ProxyRole;
  readonly controlPlane: ControlPlaneOption;
  /** Needed unless a valid identity is saved. A function is asked only then, and again should the identity lapse. */
  readonly joinToken?: string | (() => Promise<string | undefined>);
  /** Where other sidecars reach this one. Default 127.0.0.1 and a port of the system's choice, kept for the next start. */
  readonly inbound?: TcpAddress;
  /**
   * Where others find it when that is not `inbound`: behind a port mapping, a load balancer or a relay. IP address; the
   * port only where the program has one. Default `inbound`; needed where that listens on every address.
   */
  readonly advertise?: { readonly host?: string; readonly port?: number };
  /** Where it runs, for callers that prefer near endpoints and for what it prefers itself. */
  readonly locality?: Locality;
  /** Name of the cluster that it runs in, for metrics (`source_cluster`). Default {@link DEFAULT_CLUSTER}. */
  readonly cluster?: string;
  /**
   * When it becomes an endpoint: `port` when the program accepts on each of its ports at 127.0.0.1, which is looked at by
   * connecting; `immediate` at once. Default `port`.
   */
  readonly readiness?: 'port' | 'immediate';
  /** Nobody looks at its ports before: who listens there until then is somebody else. Default: it may run already. */
  readonly programStarts?: Promise<void>;
  /** Default: a Unix socket in the run directory. A host must be loopback. */
  readonly admin?: Address;
  /** Identity, saved configuration and chosen ports of this instance alone; made with mode 0700, locked while it runs. */
  readonly stateDir: string;
  /** Sockets of this instance alone; made with mode 0700, locked while it runs. A short path. */
  readonly runDir: string;
  /** Tells instances of one workload apart. Default `<name>-<host>-<first port>-` and what the state directory keeps. */
  readonly instance?: string;
  /** Engine processes. Default 1. */
  readonly workers?: number;
  /** False: everything in this process; a restart then closes the sockets. Default true. */
  readonly supervisor?: boolean;
  /** Filters beside the standard ones, by `verifyFilters` of `@tulle/filter-loader` (decision D9). Default: none. */
  readonly filters?: VerifiedFilters;
  /** What it does beside identity, routing and what policies ask; what is left out is not loaded. Default: everything. */
  readonly capabilities?: readonly Capability[];
  /** How the engine sheds load before it runs out of something; `false`: never. Default: as `@tulle/proxy` has it. */
  readonly overload?: OverloadOptions | false;
  /** Default: none. */
  readonly accessLog?: 'stdout' | { readonly file: string };
  readonly telemetry?: SidecarTelemetry;
  /**
   * The first identity must be there by then, else the start fails with the reason. Default 60,000: longer than a control
   * plane takes to be replaced; whoever supervises the sidecar starts it again. 0: no limit.
   */
  readonly startTimeoutMs?: number;
  /** Gives the start up; nothing is left running then. */
  readonly signal?: AbortSignal;
  /** Told what it waits for. Must not throw. Default: to the log. */
  readonly onProgress?: (progress: SidecarProgress) => void;
  /** How long a process lives on that a restart replaced. Default {@link DRAIN}. */
  readonly drain?: Drain;
  /** Default: JSON lines of warnings and errors to standard error. */
  readonly log?: Log;
  /** Level of the engine processes' own log: JSON lines on standard error. Default `info`. */
  readonly engineLogLevel?: LogLevel;
}
