import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A relay in front of a port, for whoever should reach it over a slow line. */
export interface SlowLink {
  readonly port: number;
  close(): Promise<void>;
}

/** Passed on every so often. */
const TICK_MS = 10;

/** @param bytesPerSecond towards the caller, of each connection; the other way is not held up */
export async function slowLink(targetPort: number, bytesPerSecond: number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (caller) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    const end = (): void => {
      clearInterval(timer);
      caller.destroy();
      target.destroy();
      sockets.delete(caller);
    };
    for (const socket of [caller, target]) socket.on('error', end).on('close', end);
    caller.pipe(target);
    const timer = setInterval(() => {
      const wanted = Math.round((bytesPerSecond * TICK_MS) / 1000);
      const piece = target.read(Math.min(wanted, target.readableLength)) as Buffer | null;
      if (piece !== null) caller.write(piece);
    }, TICK_MS);
    target.on('readable', () => {}); // reads into its buffer, from which the timer takes
    sockets.add(caller);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
