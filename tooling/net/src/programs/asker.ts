/** A program that asks when it is told to: a line of JSON to 127.0.0.1:7171, `[kind, …arguments]`, is answered with a line. */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { ask } from './questions.ts';

createServer((socket) => {
  socket.on('error', () => {});
  createInterface({ input: socket }).on('line', (line) => {
    const [kind = '', ...args] = JSON.parse(line) as string[];
    void ask(kind, args).then((heard) => socket.end(JSON.stringify(heard)));
  });
}).listen(7171, '127.0.0.1', () => process.stdout.write('asking\n'));
