import { once } from 'node:events';
import { connect } from 'node:net';

/** What `max_connection_duration` and `max_downstream_connection_duration` are in the configuration `connection-jitter`, each with as much jitter. */
const LEAST_MS = 1_000;
/** A proxy's timers, and a machine under load, may come later. */
const LATE_MS = 700;
/** That so many connections end within a tenth of the time in which they may is not by chance. */
const CONNECTIONS = 12;

/** Connections that began together end between the time and twice the time, and not together. @throws where they do otherwise */
export async function spreadEnds(port: number, request: string): Promise<string> {
  const ages = await Promise.all(Array.from({ length: CONNECTIONS }, async () => ageOf(port, request)));
  const [first, last] = [Math.min(...ages), Math.max(...ages)];
  if (first < LEAST_MS - 20 || last > 2 * LEAST_MS + LATE_MS || last - first < LEAST_MS / 10)
    throw new Error(`connections lived for ${ages.toSorted((a, b) => a - b).join(', ')} ms`);
  return `${CONNECTIONS} connections, not together`;
}

async function ageOf(port: number, request: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const begin = performance.now();
  socket.on('error', () => {}); // a reset is an end, too
  if (request !== '') socket.write(request);
  socket.resume();
  await once(socket, 'close');
  return Math.round(performance.now() - begin);
}
