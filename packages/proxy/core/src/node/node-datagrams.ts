import { createSocket, type Socket } from 'node:dgram';
import { isIP, isIPv6 } from 'node:net';
import { formatAddress, type Address, type TcpAddress } from '@tulle/model';
import type { DatagramEvents, Datagrams, DatagramSocket } from '../ports.ts';

/** Bytes that may wait in a socket for the kernel to take them. Default of the engine's `bufferLimitBytes`: what is beyond is lost, as on a full wire. */
const MAX_QUEUED_BYTES = 1_048_576;

/** Datagrams of Node, by UDP. @param shared whether several processes listen at one address, each for a share of the callers (`SO_REUSEPORT`) */
export function nodeDatagrams(shared: boolean): Datagrams {
  return {
    bind: (address, events) => bind(address, events, shared),
    connect,
  };
}

async function bind(address: TcpAddress, events: DatagramEvents, shared: boolean): Promise<DatagramSocket> {
  const socket = createSocket({ ...typeOf(address.host), ...(shared && { reusePort: true }) });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close();
      reject(
        new Error(`cannot take datagrams at ${formatAddress(address)}: ${explain(error)}`, { cause: error }),
      );
    };
    socket.once('error', failed);
    socket.bind({ address: address.host, port: address.port, exclusive: true }, () => {
      socket.off('error', failed);
      resolve();
    });
  });
  return follow(socket, events);
}

function connect(address: TcpAddress, events: DatagramEvents, sourceAddress?: string): DatagramSocket {
  if (isIP(address.host) === 0) throw new Error(`${address.host} is no address`);
  const socket = createSocket(typeOf(address.host));
  const faults: Error[] = [];
  const note = (error: Error): void => void faults.push(error);
  // That no socket or port is left is told at once, as an event.
  socket.on('error', note);
  try {
    if (sourceAddress !== undefined) socket.bind({ address: sourceAddress, port: 0, exclusive: true });
    if (faults.length === 0) socket.connect(address.port, address.host);
    const [fault] = faults;
    if (fault !== undefined) throw fault;
    socket.off('error', note);
    return follow(socket, events);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Addresses are there to be used: nothing is looked up, so that nothing is waited for. */
function typeOf(host: string) {
  return {
    type: isIPv6(host) ? 'udp6' : 'udp4',
    ...(isIP(host) === 0 ? {} : { lookup: lookUpNothing }),
  } as const;
}

function lookUpNothing(
  host: string,
  family: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, host, typeof family === 'number' ? family : 4);
}

function follow(socket: Socket, events: DatagramEvents): DatagramSocket {
  let open = true;
  socket.on('message', (bytes, { address, port }) => events.onDatagram(bytes, address, port));
  socket.on('error', (error) => {
    if (open) events.onError(error.message);
  });
  return {
    get address(): Address {
      const { address, port } = socket.address();
      return { host: address, port };
    },
    send(bytes, host, port) {
      if (!open || socket.getSendQueueSize() > MAX_QUEUED_BYTES) return false;
      if (host === undefined) socket.send(bytes);
      else socket.send(bytes, port, host);
      return true;
    },
    close() {
      if (!open) return;
      open = false;
      socket.close();
    },
  };
}

function explain(error: Error): string {
  const code = 'code' in error ? error.code : '';
  if (code === 'EADDRINUSE')
    return 'the address is in use; stop who has it (`ss -lunp`), or choose another port';
  if (code === 'EACCES') return 'not permitted; ports below 1024 need CAP_NET_BIND_SERVICE';
  if (code === 'EADDRNOTAVAIL') return 'no interface of this machine has that address';
  return error.message;
}
