import { hostname } from 'node:os';
import { rename, writeFile } from 'node:fs/promises';
import { envoyBootstrap, type EnvoyTelemetry } from '@tulle/agent';
import { formatAddress, type Address } from '@tulle/model';
import type { FlagOptions } from '@tulle/sidecar/flags';
import { keptPorts } from './kept-ports.ts';
import type { Agent } from './start-agent.ts';

/** An Envoy as a workload's proxy. */
export interface EnvoySeat {
  /** Where others reach it; absent for a workload without ports. */
  readonly inbound: string | undefined;
  readonly upstreams: readonly { readonly service: string; readonly address: string }[];
  readonly admin: string;
}

/** What {@link writeEnvoyBootstrap} needs to know. */
export interface EnvoySeatOptions {
  readonly agent: Agent;
  /** Where the bootstrap is written. */
  readonly file: string;
  readonly workload: FlagOptions;
  readonly xds: readonly string[];
  readonly trustDomain: string;
  /** Of Envoy's own admin interface. */
  readonly admin: Address;
  /** Unix socket that leads to the control plane. */
  readonly xdsRelay: string | undefined;
  /** Its access log. */
  readonly accessLogFile: string | undefined;
}

/**
 * Writes the bootstrap of an Envoy that is the proxy of a workload. Envoy cannot be given a socket that is bound already, so
 * ports that nobody chose are looked for here and kept for the next start.
 */
export async function writeEnvoyBootstrap(options: EnvoySeatOptions): Promise<EnvoySeat> {
  const { agent, workload, admin } = options;
  const kept = await keptPorts(agent.stateDir);
  const wanted = workload.inbound ?? { host: '127.0.0.1', port: 0 };
  const ports: { port: number; inboundPort: number }[] = [];
  for (const [i, { port }] of workload.ports.entries()) {
    const given = i === 0 ? wanted.port : 0;
    const inboundPort = given === 0 ? await kept.choose(`inbound ${port}`, wanted.host) : given;
    ports.push({ port, inboundPort });
  }
  const upstreams: { service: string; servicePort?: number; localPort: number; address: string }[] = [];
  for (const { service, servicePort, localPort } of workload.upstreams ?? []) {
    const key = `upstream ${service}:${servicePort ?? ''}`;
    upstreams.push({
      service,
      ...(servicePort === undefined ? {} : { servicePort }),
      localPort: localPort === 0 ? await kept.choose(key, '127.0.0.1') : localPort,
      address: '127.0.0.1',
    });
  }
  await kept.save();
  const [first] = ports;
  const instance = [workload.name, hostname(), ...ports.slice(0, 1).map(({ port }) => port)].join('-');
  const { advertise, locality } = workload;
  const bootstrap = envoyBootstrap({
    agentSocket: agent.socket,
    xds: options.xds,
    ...(options.xdsRelay === undefined ? {} : { xdsRelay: options.xdsRelay }),
    trustDomain: options.trustDomain,
    spiffeId: agent.spiffeId,
    instance,
    workload: workload.name,
    ...(locality === undefined ? {} : { locality }),
    metadata: {
      workload: workload.name,
      namespace: workload.namespace,
      labels: workload.labels,
      instance,
      ports,
      ...(first === undefined ? {} : { inbound: { address: wanted.host, port: first.inboundPort } }),
      ...(advertise === undefined ? {} : { advertise: { address: advertise.host, port: advertise.port } }),
      upstreams,
    },
    admin,
    telemetry: telemetryOf(options),
  });
  await writeFile(`${options.file}.new`, `${JSON.stringify(bootstrap, null, 2)}\n`);
  await rename(`${options.file}.new`, options.file);
  return {
    inbound: first === undefined ? undefined : formatAddress({ host: wanted.host, port: first.inboundPort }),
    upstreams: upstreams.map(({ service, address, localPort }) => ({
      service,
      address: formatAddress({ host: address, port: localPort }),
    })),
    admin: formatAddress(admin),
  };
}

/** Share of the traces begun at a proxy that says nothing (decision D18). */
const DEFAULT_TRACE_RATIO = 0.01;

function telemetryOf({ workload, accessLogFile }: EnvoySeatOptions): EnvoyTelemetry {
  const { otlp } = workload.telemetry ?? {};
  return {
    ...(accessLogFile === undefined ? {} : { accessLogFile }),
    ...(otlp?.endpoint === undefined
      ? {}
      : {
          traces: {
            endpoint: otlp.endpoint,
            serviceName: `${workload.labels['app'] ?? workload.name}.${workload.namespace}`,
            ratio: (otlp.traces === false ? 0 : otlp.traces?.sampleRatio) ?? DEFAULT_TRACE_RATIO,
          },
        }),
  };
}
