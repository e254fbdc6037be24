import { randomBytes } from 'node:crypto';
import {
  captureCommands,
  holdRules,
  holdRulesFor,
  makeCgroup,
  missingForCapture,
  startDnsResponder,
  sweepCgroups,
  type Cgroup,
  type DnsCounters,
  type DnsResponder,
  type HeldRules,
} from '@tulle/intercept';
import type { ProxyConfig, TcpAddress } from '@tulle/model';
import { CaptureUnavailableError } from './capture-error.ts';
import { LOOPBACK, type CaptureOptions } from './capture-options.ts';
import { meshNames } from './mesh-names.ts';

/** Cgroups of programs and proxies: `tulle-<name>-<pid>` and `tulle-<name>-<pid>-proxy`. */
const CGROUPS = /^tulle-[a-z0-9-]+-\d+(?:-proxy)?$/;
const proxyGroupOf = (programGroup: string): string => `${programGroup}-proxy`;

/** Where the kernel leads connections. */
export interface CapturePorts {
  /** What the program begins: at 127.0.0.1 and, where the machine has IPv6, at ::1. */
  readonly outbound: readonly TcpAddress[];
  /** What others begin: port of the program to port of the sidecar. */
  readonly inbound: readonly { readonly port: number; readonly to: number }[];
  /** What others begin from elsewhere at ports that the program does not name. */
  readonly inboundRest: TcpAddress;
}

/** How capturing stands. */
export interface CaptureStatus {
  readonly scope: CaptureOptions['scope'];
  readonly egress: 'passthrough' | 'registry-only';
  readonly ifProxyDies: 'open' | 'closed';
  /** The rules are in force. */
  readonly active: boolean;
  /** Process that owns the rules. */
  readonly rulesOwner: number | undefined;
  readonly cgroup: string;
  readonly dns: DnsCounters;
}

/** Captures the connections of one program, or of a network namespace, for the sidecar in this process. */
export class ProgramCapture {
  readonly #options: CaptureOptions;
  readonly #namespace: string;
  /** Of the sidecar's processes: what they begin goes where it was meant. */
  readonly #proxyGroup: Cgroup;
  readonly #programGroup: Cgroup;
  readonly #dns: DnsResponder;
  readonly #table = `tulle_${process.pid}_${randomBytes(3).toString('hex')}`;
  #rules: HeldRules | undefined;

  private constructor(
    options: CaptureOptions,
    namespace: string,
    proxyGroup: Cgroup,
    programGroup: Cgroup,
    dns: DnsResponder,
  ) {
    this.#options = options;
    this.#namespace = namespace;
    this.#proxyGroup = proxyGroup;
    this.#programGroup = programGroup;
    this.#dns = dns;
  }

  /**
   * Makes what capturing needs, and moves this process, whose children follow, into a cgroup that the rules spare. No rule is
   * in force yet.
   * @param name of the workload
   * @param namespace of the workload
   * @throws CaptureUnavailableError naming all that is missing
   */
  static async prepare(options: CaptureOptions, name: string, namespace: string): Promise<ProgramCapture> {
    const missing = missingForCapture();
    if (missing.length > 0) throw new CaptureUnavailableError(missing);
    const base = `tulle-${name}-${process.pid}`;
    const groups: Cgroup[] = [];
    let undo = (): void => {};
    try {
      sweepCgroups(CGROUPS, proxyGroupOf);
      // The proxy's first: who is in it keeps that of the program, which stays empty until the program starts.
      const proxyGroup = makeCgroup(proxyGroupOf(base));
      groups.push(proxyGroup);
      const programGroup = makeCgroup(base);
      groups.push(programGroup);
      proxyGroup.add(process.pid); // now that both are made beside each other, not below
      undo = () => proxyGroup.giveBack(process.pid);
      return new ProgramCapture(options, namespace, proxyGroup, programGroup, await startDnsResponder());
    } catch (error) {
      undo();
      for (const group of groups) group.remove();
      throw new CaptureUnavailableError([(error as Error).message], { cause: error });
    }
  }

  /** Directory of the cgroup to start the program in: what this process starts elsewhere is not captured. */
  get cgroup(): string {
    return this.#programGroup.directory;
  }

  /** Puts the rules into force; who connects from now on is led to these ports. @throws CaptureUnavailableError with what nft says */
  async begin({ outbound, inbound, inboundRest }: CapturePorts): Promise<void> {
    const { excludeCidrs = [], excludePorts = [], excludeInboundPorts = [] } = this.#options;
    const four = outbound.find(({ host }) => !host.includes(':')) as TcpAddress;
    const six = outbound.find(({ host }) => host.includes(':'));
    const commands = captureCommands(this.#table, {
      scope:
        this.#options.scope === 'namespace'
          ? { kind: 'namespace' }
          : { kind: 'cgroup', path: this.#programGroup.path },
      spare: { cgroups: [this.#proxyGroup.path] },
      outbound: {
        port: four.port,
        ...(six === undefined ? {} : { port6: six.port }),
        excludeCidrs: [...LOOPBACK, ...excludeCidrs],
        excludePorts,
      },
      inbound,
      inboundRest: { to: inboundRest.port, excludePorts: excludeInboundPorts },
      dnsPort: this.#dns.port,
    });
    try {
      const options = { cgroupMount: this.#proxyGroup.mount };
      this.#rules = await (this.#options.ifProxyDies === 'closed'
        ? holdRulesFor(this.cgroup, this.#table, commands, options)
        : holdRules(this.#table, commands, options));
    } catch (error) {
      throw new CaptureUnavailableError([(error as Error).message], { cause: error });
    }
  }

  /** A configuration is in force: its names are known from now on. */
  configured(config: ProxyConfig): void {
    this.#dns.know(meshNames(config, this.#namespace));
  }

  status(): CaptureStatus {
    const { scope, egress = 'passthrough', ifProxyDies = 'open' } = this.#options;
    return {
      scope,
      egress,
      ifProxyDies,
      active: this.#rules !== undefined,
      rulesOwner: this.#rules?.pid,
      cgroup: this.cgroup,
      dns: this.#dns.counters,
    };
  }

  /** Takes the rules away. */
  async end(): Promise<void> {
    const rules = this.#rules;
    this.#rules = undefined;
    await rules?.release();
    await this.#dns.close();
    this.#programGroup.remove();
    this.#proxyGroup.giveBack(process.pid);
    this.#proxyGroup.remove();
  }
}
