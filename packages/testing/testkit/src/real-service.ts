import { connect } from 'node:net';
import type { Address } from '@tulle/model';
import { duplexOf } from './memory-duplex.ts';
import type { MemoryNetwork } from './memory-network.ts';

/** Puts a service that listens on a real port of this machine at an address of the network; use {@link wallClock} beside it. */
export function realService(
  network: Pick<MemoryNetwork, 'listen'>,
  address: Address | string,
  port: number,
): { close(): void } {
  return network.listen(address, (connection) => {
    const here = duplexOf(connection);
    const there = connect(port, '127.0.0.1');
    here.pipe(there).pipe(here);
    here.on('error', () => there.destroy()).on('close', () => there.destroy());
    there.on('error', () => here.destroy()).on('close', () => here.destroy());
  });
}
