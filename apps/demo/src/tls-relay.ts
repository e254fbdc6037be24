import net from 'node:net';
import { handshakeKind } from './server-hello.ts';
import { TlsFraming } from './tls-framing.ts';

/** What a relay has seen. */
export interface RelayReport {
  readonly connections: number;
  readonly bytes: number;
  readonly records: number;
  /** What was not TLS record framing; empty is what we want. */
  readonly violations: readonly string[];
  /** How often a planted secret was seen in clear. */
  readonly secretsSeen: number;
  /** Handshakes whose ServerHello takes up no earlier session. */
  readonly fullHandshakes: number;
  readonly resumedHandshakes: number;
}

/** A listener on the wire between two proxies: passes everything on, and looks at it. */
export interface TlsRelay {
  readonly port: number;
  /** Whom to pass connections on to; may be set after the relay listens. */
  target(host: string, port: number): void;
  report(): RelayReport;
  close(): Promise<void>;
}

/** @param secrets texts that must never cross the wire in clear */
export async function tlsRelay(secrets: readonly string[]): Promise<TlsRelay> {
  let to: { host: string; port: number } | undefined;
  let connections = 0;
  let bytes = 0;
  let records = 0;
  let secretsSeen = 0;
  const handshakes = { full: 0, resumed: 0 };
  const violations: string[] = [];
  const needles = secrets.map((secret) => Buffer.from(secret, 'latin1'));
  const overlap = Math.max(0, ...needles.map((needle) => needle.length - 1));
  const open = new Set<net.Socket>();

  const watch = (direction: string): ((piece: Buffer) => void) => {
    const framing = new TlsFraming();
    let tail = Buffer.alloc(0);
    return (piece) => {
      bytes += piece.length;
      const fault = framing.push(piece);
      records += framing.takeRecords();
      if (fault !== undefined) violation(`${direction}: ${fault}`);
      const seen = Buffer.concat([tail, piece]);
      for (const needle of needles) if (seen.includes(needle)) secretsSeen++;
      tail = Buffer.from(seen.subarray(Math.max(0, seen.length - overlap)));
    };
  };

  const violation = (text: string): void => {
    if (violations.length < 20) violations.push(text);
  };
  const watchHello = (): ((piece: Buffer) => void) => {
    let head: Buffer | undefined = Buffer.alloc(0);
    return (piece) => {
      if (head === undefined) return;
      head = Buffer.concat([head, piece]);
      try {
        const kind = handshakeKind(head);
        if (kind === undefined) return;
        handshakes[kind]++;
      } catch (error) {
        violation(`to the client: ${(error as Error).message}`);
      }
      head = undefined;
    };
  };

  const server = net.createServer({ allowHalfOpen: true }, (near) => {
    if (to === undefined) {
      near.destroy();
      return;
    }
    connections++;
    const far = net.connect({ ...to, allowHalfOpen: true });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
      socket.on('error', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', watch('to the server'));
    far.on('data', watch('to the client'));
    far.on('data', watchHello());
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    target: (host, port) => {
      to = { host, port };
    },
    report: () => ({
      connections,
      bytes,
      records,
      violations: [...violations],
      secretsSeen,
      fullHandshakes: handshakes.full,
      resumedHandshakes: handshakes.resumed,
    }),
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
