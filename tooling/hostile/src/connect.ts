import net from 'node:net';
import tls from 'node:tls';
import type { Target } from './client.ts';

/** A connection of a client who does not care whom it speaks to. */
export function connectTo(
  { host, port, tls: secured = false }: Target,
  protocol: 'http/1.1' | 'h2',
): net.Socket {
  const socket = secured
    ? tls.connect({ host, port, rejectUnauthorized: false, ALPNProtocols: [protocol] })
    : net.connect(port, host);
  socket.setNoDelay(true);
  return socket;
}
