import type { Log } from '@tulle/filter';
import type { Address, TcpAddress } from '@tulle/model';

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
  readonly controlPlane: ControlPlaneOption;
  /** Needed unless a valid identity is saved. A function is asked only then. */
  readonly joinToken?: string | (() => Promise<string | undefined>);
  /** Where other sidecars reach this one. Default 127.0.0.1 and a port of the system's choice, kept for the next start. */
  readonly inbound?: TcpAddress;
  /** Default: a Unix socket in the run directory. A host must be loopback. */
  readonly admin?: Address;
  /** Identity, saved configuration and chosen ports of this instance; made with mode 0700. */
  readonly stateDir: string;
  /** Sockets of this instance; made with mode 0700. A short path. */
  readonly runDir: string;
  /** Tells instances of one workload apart. Default `<name>-<host>-<first port>`. */
  readonly instance?: string;
  /** Engine processes. Default 1. */
  readonly workers?: number;
  /** False: everything in this process; a restart then closes the sockets. Default true. */
  readonly supervisor?: boolean;
  /** Default: none. */
  readonly accessLog?: 'stdout' | { readonly file: string };
  /** Connections are asked to close over this time when a process is drained. Default 5,000. */
  readonly drainWindowMs?: number;
  /** Default: JSON lines of warnings and errors to standard error. */
  readonly log?: Log;
}
