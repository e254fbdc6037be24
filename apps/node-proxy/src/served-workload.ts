import { hostname } from 'node:os';
import { join } from 'node:path';
import { meshChannel, type IdentityClient } from '@tulle/ca';
import type { Log } from '@tulle/filter';
import type { DnsCounters, DnsResponder, NetworkNamespaces } from '@tulle/intercept';
import type { createRegistry } from '@tulle/metrics';
import type { ProxyConfig } from '@tulle/model';
import { makePrivateDirectory } from '@tulle/sidecar/directories';
import { openIdentity } from '@tulle/sidecar/identity';
import { meshNames } from '@tulle/sidecar/mesh-names';
import type { Supervisor } from '@tulle/supervisor';
import { createXdsClient, type ApplyResult, type XdsClient } from '@tulle/xds-client';
import type { Served } from './served-workloads.ts';
import { hasIpv6 } from './sockets.ts';
import { startWorkloadDns } from './workload-dns.ts';
import { beginRules, liftingCommand, liftRules, type IfProxyDies } from './workload-rules.ts';
import { keyOf, PROXY_PORTS, type NodeWorkload } from './workload.ts';

/** What a workload needs of its node's proxy. */
export interface WorkloadHost {
  readonly controlPlane: { readonly xds: readonly string[]; readonly trustDomain: string };
  readonly stateDir: string;
  readonly supervisor: Supervisor;
  readonly namespaces: NetworkNamespaces;
  readonly ifProxyDies: IfProxyDies;
  readonly log: Log;
  readonly meter: ReturnType<typeof createRegistry>;
  readonly startTimeoutMs: number | undefined;
  /** Gets a token for a workload that has none of its own. */
  readonly joinToken: ((workload: NodeWorkload) => Promise<string | undefined>) | undefined;
  /** Takes what the workload needs into the configuration, `undefined`: nothing any more. */
  apply(served: ServedWorkload, config: ProxyConfig | undefined): Promise<ApplyResult>;
}

/** Where a workload stands. */
export type WorkloadState = 'joining' | 'starting' | 'serving' | 'leaving';

/**
 * One workload of the node: its identity, what the control plane says that it needs, and the rules that lead its connections to
 * the proxy.
 */
export class ServedWorkload implements Served {
  readonly workload: NodeWorkload;
  readonly key: string;
  state: WorkloadState = 'joining';
  readonly #host: WorkloadHost;
  readonly #undo: (() => Promise<void> | void)[] = [];
  #identity: IdentityClient | undefined;
  #dns: DnsResponder | undefined;
  #started: Promise<void> | undefined;
  /** Rejected when it is to end: neither a CA nor a control plane that does not answer holds that up. */
  readonly #ending = Promise.withResolvers<never>();

  constructor(host: WorkloadHost, workload: NodeWorkload) {
    this.#host = host;
    this.workload = workload;
    this.key = keyOf(workload);
    this.#ending.promise.catch(() => {});
  }

  get spiffeId(): string {
    const { namespace, serviceAccount } = this.workload;
    return `spiffe://${this.#host.controlPlane.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  /** Resolves when its connections are captured. @throws Error with a sentence; nothing is left then */
  async start(): Promise<void> {
    return (this.#started = this.#start().catch(async (error: unknown) => {
      await this.#unwind();
      throw error;
    }));
  }

  async #start(): Promise<void> {
    const { supervisor, controlPlane, log, meter, startTimeoutMs, joinToken } = this.#host;
    const { workload } = this;
    this.#host.namespaces.open({ path: workload.network }).close(); // one that is not there is said at once
    const stateDir = join(this.#host.stateDir, 'workloads', this.key);
    makePrivateDirectory(stateDir);
    const instance = `${workload.name}-${hostname().replace(/[^a-zA-Z0-9.-]/g, '-')}`;
    const { identity, ready } = await openIdentity(
      {
        controlPlane,
        stateDir,
        labels: workload.labels,
        instance,
        joinToken: workload.token ?? (async () => joinToken?.(workload)),
        ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
      },
      workload,
      log,
      meter,
      async () => supervisor.identityInUse(),
      () => {},
    );
    this.#identity = identity;
    this.#undo.push(() => identity.close());
    await this.#unlessEnding(ready());
    this.#undo.push(await supervisor.addIdentity(identity));
    this.state = 'starting';
    const dns = (this.#dns = await startWorkloadDns(this.#host.namespaces, workload));
    this.#undo.push(async () => dns?.close());
    const xds = this.#follow(identity, instance, stateDir);
    this.#undo.push(async () => {
      const left = await this.#host.apply(this, undefined);
      // An engine that stands on what is left in the configuration could not start without the identity.
      if (!left.ok) throw new Error(left.issues.map(({ message }) => message).join('; '));
    });
    this.#undo.push(async () => xds.stop());
    await xds.start();
    await this.#unlessEnding(xds.configured());
    // Connections must not be led to where nobody listens.
    const refused = xds.state().refused?.flatMap(({ reasons }) => reasons) ?? [];
    if (refused.length > 0) throw new Error(refused.join('; '));
    this.#undo.push(await beginRules(this.#host.namespaces, workload, this.#host.ifProxyDies));
    this.state = 'serving';
    log.info(`${this.spiffeId} is served in ${workload.network}`);
  }

  async #unlessEnding<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#ending.promise]);
  }

  #follow(identity: IdentityClient, instance: string, stateDir: string): XdsClient {
    const { controlPlane, log, meter, namespaces } = this.#host;
    const { name, namespace, serviceAccount, labels, address, ports, egress, reachable } = this.workload;
    return createXdsClient({
      targets: controlPlane.xds,
      channel: () => meshChannel(controlPlane.trustDomain, { identity }),
      node: {
        id: `${identity.spiffeId}~${instance}`,
        cluster: name,
        metadata: {
          workload: name,
          namespace,
          serviceAccount,
          labels,
          ports,
          instance,
          ready: true,
          capabilities: [],
          inbound: { address, port: PROXY_PORTS.port },
          hbone: {
            outboundPort: PROXY_PORTS.outboundPort,
            inboundPort: PROXY_PORTS.inboundPort,
            port: PROXY_PORTS.port,
            egress,
            reachable,
            ipv6: hasIpv6(namespaces, this.workload.network),
          },
        },
        extensions: ['tulle.conn.authz@0.0.0'],
      },
      onConfig: async (config) => {
        const result = await this.#host.apply(this, config);
        if (result.ok) this.#dns?.know(meshNames(config, namespace));
        return result;
      },
      snapshotFile: join(stateDir, 'snapshot.json'),
      log,
      meter,
    });
  }

  /** Leaves the mesh, and its network as it was, unless that is closed until it is served again. */
  async stop(next?: NodeWorkload): Promise<void> {
    this.#ending.reject(new Error(`${this.key} is taken away`));
    await this.#started?.catch(() => {});
    try {
      await this.#unwind();
    } finally {
      // Also where something could not be undone: nobody comes back to this network.
      if (next?.network !== this.workload.network) await this.#lift();
    }
  }

  async #lift(): Promise<void> {
    const { namespaces } = this.#host;
    await liftRules(namespaces, this.workload).catch((error: unknown) => {
      const byHand = `by hand, as root: ${liftingCommand(this.workload.network)}`;
      throw new Error(`${(error as Error).message}; ${byHand}`, { cause: error });
    });
  }

  async #unwind(): Promise<void> {
    this.state = 'leaving';
    for (const step of this.#undo.splice(0).toReversed()) await step();
  }

  status(): {
    readonly name: string;
    readonly namespace: string;
    readonly spiffeId: string;
    readonly network: string;
    readonly address: string;
    readonly ports: readonly number[];
    readonly state: WorkloadState;
    readonly certificateNotAfterMs: number | undefined;
    /** `undefined`: its DNS is left alone. */
    readonly dns: DnsCounters | undefined;
  } {
    const { name, namespace, network, address, ports } = this.workload;
    return {
      name,
      namespace,
      spiffeId: this.spiffeId,
      network,
      address,
      ports,
      state: this.state,
      certificateNotAfterMs: this.#identity?.current()?.svid.notAfterMs,
      dns: this.#dns?.counters,
    };
  }
}
