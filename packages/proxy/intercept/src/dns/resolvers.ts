import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { isIP, Socket } from 'node:net';
import { framed, readFramed } from './framed.ts';

/** One that does not answer in this time is passed over; resolvers of programs wait 5 s for all. */
const ATTEMPT_MS = 2_000;
/** As many as a C library asks (resolver(5), `MAXNS`). */
const MAX_RESOLVERS = 3;

/** Name servers of this machine, in their order (resolv.conf(5)). None: 127.0.0.1, as there. */
export function systemResolvers(file = '/etc/resolv.conf'): readonly string[] {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // none
  }
  const found = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map(([, address = '']) => address)
    .filter((address) => isIP(address.split('%')[0] as string) !== 0);
  return found.length === 0 ? ['127.0.0.1'] : found.slice(0, MAX_RESOLVERS);
}

/** What makes the sockets by which others are asked; descriptors of such as are not connected. Default: those of Node. */
export interface ResolverSockets {
  /** @param host the resolver's @returns `undefined`: it is asked by a socket of Node's own */
  open(transport: 'udp' | 'tcp', host: string): number | undefined;
}

/** Asks resolvers in turn until one answers. @returns `undefined`: none did */
export async function askResolvers(
  query: Buffer,
  transport: 'udp' | 'tcp',
  resolvers: readonly string[],
  port = 53,
  sockets?: ResolverSockets,
): Promise<Buffer | undefined> {
  for (const resolver of resolvers) {
    let fd: number | undefined;
    try {
      fd = sockets?.open(transport, resolver);
    } catch {
      continue; // its network is gone
    }
    const answer = await (transport === 'udp' ? askUdp : askTcp)(query, resolver, port, fd);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** Each query has a port of its own, which whoever forges an answer would have to guess beside the id (RFC 5452). */
async function askUdp(
  query: Buffer,
  host: string,
  port: number,
  fd: number | undefined,
): Promise<Buffer | undefined> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const timer = setTimeout(() => resolve(undefined), ATTEMPT_MS);
  socket.on('error', () => resolve(undefined)); // also where there is no way to it
  if (fd !== undefined) socket.bind({ fd });
  // Connected: the kernel lets only that peer's packets in, and tells when nobody listens there.
  socket.once('connect', () => socket.send(query));
  socket.connect(port, host);
  socket.on('message', (answer) => {
    if (answer.length >= 12 && answer[0] === query[0] && answer[1] === query[1]) resolve(answer);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

async function askTcp(
  query: Buffer,
  host: string,
  port: number,
  fd: number | undefined,
): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const socket = new Socket(fd === undefined ? {} : { fd });
  socket.setTimeout(ATTEMPT_MS);
  socket.connect(port, host);
  readFramed(socket, resolve);
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => {});
  socket.on('close', () => resolve(undefined));
  socket.write(framed(query));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
