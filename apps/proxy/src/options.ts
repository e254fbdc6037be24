import type { Log } from '@tulle/filter';
import type { LogLevel } from '@tulle/supervisor';

/** Options of {@link startEnvoyProxy}; most are flags of Envoy's program. */
export interface EnvoyProxyOptions {
  /** File of the bootstrap: YAML or JSON, or binary where its name ends in `.pb`. */
  readonly configPath?: string;
  /** Merged over the file, or alone. */
  readonly configYaml?: string;
  /** Engine processes. Default 1. */
  readonly workers?: number;
  /** False: everything in this process. Default true. */
  readonly supervisor?: boolean;
  /** Names the directory of its sockets. Default: the first that is free. */
  readonly baseId?: number;
  /** File that the base id is written to. */
  readonly baseIdPath?: string;
  /** Directory below which sockets are made, a directory a proxy. A short path. Default: the user's (`tulleDirectories`). */
  readonly runDir?: string;
  readonly serviceNode?: string;
  readonly serviceCluster?: string;
  readonly serviceZone?: string;
  /** Connections are asked to close over this time when the proxy drains. Default 600,000 (Envoy `--drain-time-s`), at its end 5,000. */
  readonly drainTimeMs?: number;
  /** Connections of a process that was replaced may live on for so long. Default 900,000 (Envoy `--parent-shutdown-time-s`). */
  readonly parentShutdownTimeMs?: number;
  readonly logLevel?: LogLevel;
  /** File that the log is appended to. Default: standard error. */
  readonly logPath?: string;
  /** File that the address of the admin interface is written to. */
  readonly adminAddressPath?: string;
  /**
   * Where Envoy's ClientStatusDiscoveryService (CSDS) of this proxy is served, in plain text and to whoever can connect: `host:port` of
   * loopback, or `unix:` and a path. Default: nowhere.
   */
  readonly clientStatusAddress?: string;
  /** Whether callers of other machines get more of the admin interface than `/ready` and `/stats`. Default false. */
  readonly adminOpen?: boolean;
  /** Fields that the messages do not have are left out and told, instead of refused. Default false. */
  readonly allowUnknownStaticFields?: boolean;
  /** The same for discovered resources. Default false. */
  readonly ignoreUnknownDynamicFields?: boolean;
  /** Fields by full name that are read over although they are not honoured. Default none. */
  readonly tolerateFields?: readonly string[];
  /** Told a line at a time what an operator should know: what was taken and does nothing, a file that changed. Default: the log. */
  readonly say?: (line: string) => void;
  /** Default: JSON lines to standard error, or to `logPath`. */
  readonly log?: Log;
}
