import type { TcpAddress } from '@tulle/model';
import type { Supervisor } from '@tulle/supervisor';
import { loadPorts, savePorts } from './instance-file.ts';
import type { SidecarOptions, UpstreamOption, WorkloadPortOption } from './options.ts';

/** The sockets of a sidecar. */
export interface BoundPorts {
  /** Of the first port. */
  readonly inbound: TcpAddress;
  readonly ports: readonly (WorkloadPortOption & { readonly inboundPort: number })[];
  readonly upstreams: readonly { readonly option: UpstreamOption; readonly address: TcpAddress }[];
}

/** Binds before joining, so that the control plane is told the real numbers; each port of the program has a socket of its own. */
export async function bindPorts(options: SidecarOptions, supervisor: Supervisor): Promise<BoundPorts> {
  const saved = await loadPorts(options.stateDir);
  const wanted = options.inbound ?? { host: '127.0.0.1', port: 0 };
  const ports: (WorkloadPortOption & { inboundPort: number })[] = [];
  for (const [i, port] of options.ports.entries()) {
    const bound = await bindAgain(
      supervisor,
      i === 0 ? wanted : { host: wanted.host, port: 0 },
      saved.inbound[String(port.port)],
    );
    ports.push({ ...port, inboundPort: bound.port });
  }
  const upstreams: { option: UpstreamOption; address: TcpAddress }[] = [];
  for (const option of options.upstreams ?? []) {
    const address = await bindAgain(
      supervisor,
      { host: option.address ?? '127.0.0.1', port: option.localPort },
      saved.upstreams[keyOf(option)],
    );
    upstreams.push({ option, address });
  }
  const inbound: TcpAddress = {
    host: wanted.host,
    port: ports[0]?.inboundPort ?? (await bindAgain(supervisor, wanted, saved.inbound['0'])).port,
  };
  await savePorts(options.stateDir, {
    inbound: Object.fromEntries(
      ports.length === 0 ? [['0', inbound.port]] : ports.map((port) => [String(port.port), port.inboundPort]),
    ),
    upstreams: Object.fromEntries(upstreams.map(({ option, address }) => [keyOf(option), address.port])),
  });
  return { inbound, ports, upstreams };
}

const keyOf = (option: UpstreamOption): string =>
  option.servicePort === undefined ? option.service : `${option.service}:${option.servicePort}`;

/** The port of last time where the choice is free; another one where somebody took it meanwhile. */
async function bindAgain(
  supervisor: Supervisor,
  wanted: TcpAddress,
  last: number | undefined,
): Promise<TcpAddress> {
  if (wanted.port === 0 && last !== undefined) {
    try {
      return (await supervisor.bind({ host: wanted.host, port: last })) as TcpAddress;
    } catch {
      // taken
    }
  }
  return (await supervisor.bind(wanted)) as TcpAddress;
}
