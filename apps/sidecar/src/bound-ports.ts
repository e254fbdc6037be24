import { networkInterfaces } from 'node:os';
import { formatAddress, type TcpAddress } from '@tulle/model';
import type { Supervisor } from '@tulle/supervisor';
import type { ApplyResult } from '@tulle/xds-client';
import { loadPorts, savePorts } from './instance-file.ts';
import { describeHolder, portHolder } from './port-holder.ts';
import type { SidecarOptions, UpstreamOption, WorkloadPortOption } from './options.ts';

/** The sockets of a sidecar. */
export interface BoundPorts {
  /** Of the first port. */
  readonly inbound: TcpAddress;
  readonly ports: readonly (WorkloadPortOption & { readonly inboundPort: number })[];
  readonly upstreams: readonly { readonly option: UpstreamOption; readonly address: TcpAddress }[];
  /** Where the kernel leads what the program begins: at 127.0.0.1, and at ::1 where the machine has IPv6. */
  readonly captured: readonly TcpAddress[];
  /** Where the kernel leads what others begin at ports that the program does not name; `undefined`: nothing is captured. */
  readonly capturedInbound: TcpAddress | undefined;
  /** Of its role, by the role's keys. */
  readonly role: Readonly<Record<string, TcpAddress>>;
}

/**
 * Binds before joining, so that the control plane is told the real numbers; each port of the program has a socket of its own.
 * @param queue lets what the kernel leads here wait until an engine listens
 */
export async function bindPorts(
  options: SidecarOptions,
  supervisor: Supervisor,
  queue?: (fd: number) => void,
): Promise<BoundPorts> {
  const saved = await loadPorts(options.stateDir);
  const wanted = options.inbound ?? {
    host: options.capture === undefined ? '127.0.0.1' : everywhere(),
    port: 0,
  };
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
  const role: Record<string, TcpAddress> = {};
  for (const [key, address] of Object.entries(options.role?.binds ?? {}))
    role[key] = await bindAgain(supervisor, address, saved.role[key]);
  const captured: TcpAddress[] = [];
  for (const host of options.capture === undefined ? [] : ['127.0.0.1', ...(hasIpv6() ? ['::1'] : [])])
    captured.push(await bindAgain(supervisor, { host, port: 0 }, saved.capture[host], queue));
  const capturedInbound =
    options.capture &&
    (await bindAgain(supervisor, { host: everywhere(), port: 0 }, saved.capture['inbound'], queue));
  const inboundPort =
    ports[0]?.inboundPort ??
    (options.role === undefined ? (await bindAgain(supervisor, wanted, saved.inbound['0'])).port : 0);
  const inbound: TcpAddress = { host: wanted.host, port: inboundPort };
  await savePorts(options.stateDir, {
    inbound: Object.fromEntries(
      ports.length === 0 ? [['0', inbound.port]] : ports.map((port) => [String(port.port), port.inboundPort]),
    ),
    upstreams: Object.fromEntries(upstreams.map(({ option, address }) => [keyOf(option), address.port])),
    role: Object.fromEntries(Object.entries(role).map(([key, { port }]) => [key, port])),
    capture: {
      ...Object.fromEntries(captured.map(({ host, port }) => [host, port])),
      ...(capturedInbound && { inbound: capturedInbound.port }),
    },
  });
  return { inbound, ports, upstreams, captured, capturedInbound, role };
}

/** Whom the kernel leads here came to any address of the machine. */
const everywhere = (): string => (hasIpv6() ? '::' : '0.0.0.0');

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'));
}

/** A port of the sidecar's own was bound and could not be listened on: somebody else was first. */
export class PortTakenError extends Error {
  readonly code = 'TULLE_SIDECAR_PORT_TAKEN';
  readonly address: TcpAddress;

  constructor(address: TcpAddress, message: string) {
    super(message);
    this.name = 'PortTakenError';
    this.address = address;
  }
}

/**
 * Two processes may bind one address while neither listens (SO_REUSEADDR, socket(7)); which of them has it shows when the
 * first configuration makes the engine listen.
 * @returns the error when that is why a configuration was refused
 */
export async function portTaken(
  result: ApplyResult,
  { inbound, ports, upstreams, captured, capturedInbound }: BoundPorts,
): Promise<PortTakenError | undefined> {
  if (result.ok) return undefined;
  const own = [
    { address: inbound, what: 'the inbound address' },
    ...ports.map((port) => ({
      address: { host: inbound.host, port: port.inboundPort },
      what: `the inbound address of port ${port.port}`,
    })),
    ...upstreams.map(({ option, address }) => ({ address, what: `the upstream ${option.service}` })),
    ...[...captured, ...(capturedInbound === undefined ? [] : [capturedInbound])].map((address) => ({
      address,
      what: 'where captured connections are led',
    })),
  ];
  const found = own.find(({ address }) =>
    result.issues.some(({ message }) => message.startsWith(`cannot listen on ${formatAddress(address)}: `)),
  );
  if (found === undefined) return undefined;
  const { address, what } = found;
  return new PortTakenError(
    address,
    `cannot listen on ${formatAddress(address)} (${what}): EADDRINUSE, ${describeHolder(await portHolder(address.port))} listens there; stop it or choose another port (0 lets the system choose)`,
  );
}

const keyOf = (option: UpstreamOption): string =>
  option.servicePort === undefined ? option.service : `${option.service}:${option.servicePort}`;

/** The port of last time where the choice is free; another one where somebody took it meanwhile. */
async function bindAgain(
  supervisor: Supervisor,
  wanted: TcpAddress,
  last: number | undefined,
  bound?: (fd: number) => void,
): Promise<TcpAddress> {
  if (wanted.port === 0 && last !== undefined) {
    try {
      return (await supervisor.bind({ host: wanted.host, port: last }, bound)) as TcpAddress;
    } catch {
      // taken
    }
  }
  return (await supervisor.bind(wanted, bound)) as TcpAddress;
}
