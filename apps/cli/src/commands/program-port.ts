import { createServer } from 'node:net';
import { describeHolder, portHolder } from '@tulle/sidecar';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/**
 * Before the program is started nobody may listen where it will: who does would be taken for it, and get its calls.
 * @throws CliError 1 naming the port and who has it
 */
export async function checkPortsFree(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    if (await free(port)) continue;
    throw new CliError(
      EXIT.failed,
      `${describeHolder(await portHolder(port))} listens on port ${port} already: the program cannot, and would not get the calls`,
      'stop it, or choose another --port; if it is the program that is meant, say --attach',
    );
  }
}

/** Whether 127.0.0.1:port can be listened on; a port that this user may not bind counts as free, its program may. */
async function free(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
