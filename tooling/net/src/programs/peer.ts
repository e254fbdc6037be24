/**
 * A program that knows nothing of a mesh.
 * - `serve NAME PORT…`: answers requests with its name and who called, echoes WebSocket-like upgrades (`Upgrade: echo`)
 * - `ask HOST PORT [METHOD [NAME=VALUE…]]`: prints what is answered, or the error
 * - `load HOST PORT`: asks again and again by new connections until SIGTERM, then prints counts as JSON
 * - `lookup NAME [SERVER]`: prints its address of IPv4, as the system looks it up, or as that server says
 * - `hold HOST PORT`: holds one upgraded connection; at SIGUSR2 sends a line by it, and prints what comes back
 */
import { lookup, Resolver } from 'node:dns/promises';
import { createServer, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

const [what = '', ...rest] = process.argv.slice(2);

function ask(host: string, port: string, method = 'GET', ...fields: string[]): Promise<string> {
  const headers = Object.fromEntries(fields.map((field) => field.split('=') as [string, string]));
  return new Promise((resolve) => {
    const outgoing = request({ host, port, method, headers, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code ?? error.message}`));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code ?? error.message}`));
    outgoing.end();
  });
}

if (what === 'serve') {
  const [name = '', ...ports] = rest;
  for (const port of ports)
    createServer((incoming, response) => {
      const { remoteAddress = '' } = incoming.socket;
      response.end(`${name} called by ${remoteAddress.replace('::ffff:', '')}`);
    })
      .on('upgrade', (_incoming, socket: Duplex) => {
        socket.on('error', () => {});
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
        socket.pipe(socket);
      })
      .listen(Number(port), '::');
} else if (what === 'ask') {
  const [host = '', port = '', ...how] = rest;
  process.stdout.write(`${await ask(host, port, ...how)}\n`);
} else if (what === 'lookup') {
  const [name = '', server] = rest;
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  if (server !== undefined) resolver.setServers([server]);
  const found =
    server === undefined
      ? lookup(name, { family: 4 }).then(({ address }) => address)
      : resolver.resolve4(name).then((all) => all.join(' '));
  process.stdout.write(
    `${await found.catch((error: NodeJS.ErrnoException) => `error ${error.code ?? error.message}`)}\n`,
  );
} else if (what === 'load') {
  const [host = '', port = ''] = rest;
  let [asked, failed, going] = [0, 0, true];
  const faults = new Set<string>();
  process.on('SIGTERM', () => (going = false));
  const one = async (): Promise<void> => {
    while (going) {
      const answer = await ask(host, port);
      asked++;
      if (asked % 100 === 0) process.stdout.write(`asked ${asked}\n`);
      if (answer.startsWith('200 ')) continue;
      failed++;
      faults.add(answer);
    }
  };
  const all = Promise.all(Array.from({ length: 8 }, one));
  process.stdout.write('loading\n');
  await all;
  process.stdout.write(`${JSON.stringify({ asked, failed, faults: [...faults] })}\n`);
} else if (what === 'hold') {
  const [host = '', port = ''] = rest;
  const outgoing = request({
    host,
    port,
    agent: false,
    headers: { connection: 'Upgrade', upgrade: 'echo' },
  });
  outgoing.on('error', (error) => process.stdout.write(`error ${error.message}\n`));
  outgoing.on('upgrade', (_response, socket) => {
    process.stdout.write('open\n');
    createInterface({ input: socket }).on('line', (line) => process.stdout.write(`heard ${line}\n`));
    socket.on('close', () => process.stdout.write('closed\n'));
    let count = 0;
    process.on('SIGUSR2', () => socket.write(`line ${++count}\n`));
  });
  outgoing.end();
}
