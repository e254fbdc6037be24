/**
 * Prints CPU microseconds of the pipe's process per request that h2load sends through it, and of a bare answering
 * process beside it: what sockets and frames cost before a proxy decides anything. Needs `h2load` (nghttp2-client) and
 * `taskset`. Run: `node packages/mechanisms/http2/bench/proxied.ts [requests]`
 */
import { FieldTable } from '@tulle/fields';
import { RequestHead } from '@tulle/http1';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { ServerSession, type FrameOutput } from '../src/index.ts';
import { SocketOutput } from '../tests/socket-output.ts';
import { NOTHING, Pipe } from './pipe.ts';

const REQUESTS = Number(process.argv[2] ?? 100_000);
/** Clock ticks of /proc/PID/stat a second (USER_HZ). */
const TICKS_PER_SECOND = 100;

interface Receiver {
  receive(chunk: Buffer, start: number, end: number, nowMs: number): void;
  pump(): void;
  abort(): void;
}

function attach(socket: Socket, make: (output: FrameOutput) => Receiver): void {
  const session = make(new SocketOutput(socket));
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => session.receive(chunk, 0, chunk.length, 0));
  socket.on('drain', () => session.pump());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => session.abort());
}

/** Answers every request with 64 bytes. */
async function runOrigin(): Promise<number> {
  const body = Buffer.alloc(64, 'x');
  const fields = new FieldTable();
  fields.add('content-type', 'text/plain');
  const head = new RequestHead();
  const server = createServer((socket) =>
    attach(socket, (output) => {
      const session: ServerSession<undefined> = new ServerSession<undefined>(
        {
          ...NOTHING,
          requestHead: () => head,
          onHead(stream) {
            session.writeHead(stream, 200, fields, body.length, false);
            session.writeData(stream, body, 0, body.length, true, true);
          },
        },
        output,
      );
      session.start();
      return session;
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Sends every request on to the origin, over one connection. */
async function runPipe(originPort: number): Promise<number> {
  const upstream = connect({ port: originPort, host: '127.0.0.1' });
  await once(upstream, 'connect');
  let pipe: Pipe | undefined;
  attach(upstream, (output) => (pipe = new Pipe(output)).upstream);
  const server = createServer((socket) => attach(socket, (output) => (pipe as Pipe).serve(output)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function start(role: string, port = 0): Promise<[ChildProcess, number]> {
  const child = fork(import.meta.filename, ['--role', role, String(port)]);
  const [answer] = (await once(child, 'message')) as [{ port: number }];
  // the process that is measured has a core of its own; the others share the second
  spawn('taskset', ['-a', '-p', role === 'pipe' ? '1' : '2', String(child.pid)], { stdio: 'ignore' });
  return [child, answer.port];
}

function ticks(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function load(port: number, streams: number, requests: number): Promise<void> {
  const args = ['2', 'h2load', '-n', String(requests), '-c', '8', '-m', String(streams), '-t', '1'];
  const child = spawn('taskset', [...args, `http://127.0.0.1:${port}/`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  if (!said.includes(`${requests} succeeded`)) throw new Error(`h2load:\n${said}`);
}

async function main(): Promise<void> {
  const [origin, originPort] = await start('origin');
  const [pipe, pipePort] = await start('pipe', originPort);
  for (const streams of [16, 1]) {
    for (const [name, child, port] of [
      ['pipe', pipe, pipePort],
      ['answer', origin, originPort],
    ] as const) {
      await load(port, streams, Math.floor(REQUESTS / 4));
      const before = ticks(child);
      await load(port, streams, REQUESTS);
      const us = ((ticks(child) - before) * 1e6) / TICKS_PER_SECOND / REQUESTS;
      process.stdout.write(
        `${name}, 8 connections, ${streams} streams each: ${us.toFixed(1)} CPU µs/request\n`,
      );
    }
  }
  pipe.kill();
  origin.kill();
}

if (process.argv[2] === '--role') {
  const port = process.argv[3] === 'origin' ? await runOrigin() : await runPipe(Number(process.argv[4]));
  process.send?.({ port });
  process.on('disconnect', () => process.exit(0));
} else await main();
