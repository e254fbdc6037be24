/**
 * Calls `http://HOST:PORT/` on new connections, some at a time, until it gets SIGUSR1, over a WebSocket that was opened before says
 * something again, and prints what came of it as JSON. Prints `open` when all has begun.
 */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

const [host = '', port = ''] = process.argv.slice(2);
const AT_A_TIME = 4;

let stopped = false;
process.on('SIGUSR1', () => (stopped = true));
const failures: string[] = [];
let answered = 0;

async function call(): Promise<void> {
  try {
    const [response] = (await once(get({ host, port, agent: false }), 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    if (response.statusCode === 200) answered++;
    else failures.push(`status ${response.statusCode}`);
  } catch (error) {
    failures.push((error as NodeJS.ErrnoException).code ?? String(error));
  }
}
async function calls(): Promise<void> {
  while (!stopped) await call();
}
async function echo(socket: WebSocket, said: string): Promise<unknown> {
  socket.send(said);
  return ((await once(socket, 'message')) as [MessageEvent])[0].data;
}

const socket = new WebSocket(`ws://${host}:${port}/`);
await once(socket, 'open');
let closedBy: string | undefined;
socket.addEventListener(
  'close',
  ({ code, wasClean }) => (closedBy = `${code} ${wasClean} after ${performance.now()} ms`),
);
const before = await echo(socket, 'before');
await call();
process.stdout.write('open\n');
await Promise.all(Array.from({ length: AT_A_TIME }, calls));
const after = closedBy !== undefined ? 'closed' : await echo(socket, 'after');
process.stdout.write(`${JSON.stringify({ answered, failures, before, after, closedBy })}\n`, () =>
  process.exit(0),
);
