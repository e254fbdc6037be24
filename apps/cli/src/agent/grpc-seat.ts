import { hostname } from 'node:os';
import { join } from 'node:path';
import { rename, writeFile } from 'node:fs/promises';
import { grpcBootstrap, serveXdsTunnel, splitAddress, type XdsTunnel } from '@tulle/agent';
import type { Log } from '@tulle/filter';
import type { FlagOptions } from '@tulle/sidecar/flags';
import type { Agent } from './start-agent.ts';

/** What {@link openGrpcSeat} needs to know. */
export interface GrpcSeatOptions {
  /** It keeps files. */
  readonly agent: Agent;
  /** Where the bootstrap is written. */
  readonly file: string;
  readonly workload: FlagOptions;
  readonly xds: readonly string[];
  readonly trustDomain: string;
  readonly log: Log;
}

/** A program with gRPC's own xDS as a workload: its way to the control plane, and the bootstrap that names it. */
export async function openGrpcSeat(options: GrpcSeatOptions): Promise<XdsTunnel> {
  const { agent, file, workload, trustDomain, log } = options;
  const { files } = agent;
  if (files === undefined) throw new Error('the agent keeps no files');
  const tunnel = await serveXdsTunnel({
    path: join(agent.runDir, 'xds.sock'),
    targets: options.xds.map(splitAddress),
    identity: agent.identity,
    trustDomain,
    log,
  });
  try {
    const instance = [workload.name, hostname(), ...workload.ports.slice(0, 1).map(({ port }) => port)].join(
      '-',
    );
    const { advertise, locality } = workload;
    const [first] = workload.ports;
    const bootstrap = grpcBootstrap({
      xdsSocket: tunnel.path,
      spiffeId: agent.spiffeId,
      instance,
      workload: workload.name,
      ...(locality === undefined ? {} : { locality }),
      identity: files,
      metadata: {
        workload: workload.name,
        namespace: workload.namespace,
        labels: workload.labels,
        instance,
        // Its server takes the mesh's calls itself.
        ports: workload.ports.map(({ port }) => ({ port, inboundPort: port, appProtocol: 'grpc' })),
        ...(first === undefined
          ? {}
          : { inbound: { address: workload.inbound?.host ?? '127.0.0.1', port: first.port } }),
        ...(advertise === undefined ? {} : { advertise: { address: advertise.host, port: advertise.port } }),
      },
    });
    await writeFile(`${file}.new`, `${JSON.stringify(bootstrap, null, 2)}\n`);
    await rename(`${file}.new`, file);
    return tunnel;
  } catch (error) {
    await tunnel.close();
    throw error;
  }
}
