/** What programs of the tests can ask of others, with what any program has. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';

/** What was heard; `error` where nothing was. */
export type Heard = Record<string, unknown>;

/** Longer than anything here takes; what hangs is a failure. */
const LIMIT_MS = 10_000;

const hostOf = (host: string): string => (host.includes(':') ? `[${host}]` : host);

const KINDS: Readonly<Record<string, (...args: string[]) => Promise<Heard>>> = {
  /** HTTP/1.1, on a new connection. */
  async http(host = '', port = '', path = '/') {
    const request = get({ host, port, path, agent: new Agent() });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const body = await text(response);
    // What a proxy answers by itself is a sentence.
    return {
      status: response.statusCode,
      ...(body.startsWith('{') ? (JSON.parse(body) as Heard) : { body }),
    };
  },
  /** HTTP/2 with prior knowledge. */
  async http2(host = '', port = '') {
    const session = connectHttp2(`http://${hostOf(host)}:${port}`);
    // Node leaves the brackets of IPv6 away where nobody says it.
    const stream = session.request({ ':path': '/', ':authority': `${hostOf(host)}:${port}` });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    const body = JSON.parse(await text(stream)) as Heard;
    session.close();
    return { status: headers[':status'], ...body };
  },
  async grpc(host = '', port = '', said = 'hello') {
    const client = new Client(`${hostOf(host)}:${port}`, credentials.createInsecure());
    const same = (value: Buffer): Buffer => value;
    const heard = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest('/test.Echo/Say', same, same, Buffer.from(said), (error, value) => {
        if (error !== null) reject(error);
        else resolve(value as Buffer);
      });
    });
    client.close();
    return { heard: heard.toString() };
  },
  async websocket(host = '', port = '', said = 'hello') {
    const socket = new WebSocket(`ws://${hostOf(host)}:${port}/`);
    await once(socket, 'open');
    socket.send(said);
    const [message] = (await once(socket, 'message')) as [MessageEvent];
    socket.close();
    return { heard: message.data };
  },
  /** TLS to the service itself: whose certificate is seen tells who ends it. */
  async tls(host = '', port = '') {
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    return { heard: await text(socket), subject: subject.CN };
  },
  /** Says nothing before the server has, then a line. `count` connections, one after another: the time until the first byte of each. */
  async silent(host = '', port = '', count = '1') {
    const firstByteMs: number[] = [];
    let [greeting, echo] = ['', ''];
    for (let n = 0; n < Number(count); n++) {
      const startedMs = performance.now();
      const socket = connect({ host, port: Number(port) });
      greeting = String((await once(socket, 'data'))[0]);
      firstByteMs.push(performance.now() - startedMs);
      socket.write('EHLO\r\n');
      echo = String((await once(socket, 'data'))[0]);
      socket.destroy();
    }
    return { greeting, echo, firstByteMs };
  },
  /** Tells the asking program what to ask, see asker.ts. */
  async told(host = '', port = '', question = '') {
    const socket = connect({ host, port: Number(port) });
    socket.write(`${question}\n`);
    return { heard: await text(socket) };
  },
  async lookup(host = '') {
    return { heard: (await lookup(host)).address };
  },
  /** What comes back to these bytes until the other side closes. */
  async raw(host = '', port = '', bytes = '') {
    const socket = connect({ host, port: Number(port) });
    socket.write(Buffer.from(bytes, 'latin1'));
    return { heard: (await socket.toArray()).join('') };
  },
};

/** Asks, and gives up after a while. */
export async function ask(kind: string, args: readonly string[]): Promise<Heard> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`nothing after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  try {
    return await Promise.race([
      (KINDS[kind] as (...args: string[]) => Promise<Heard>)(...args),
      late.promise,
    ]);
  } catch (error) {
    const { code, message = String(error) } = error as { code?: unknown; message?: string };
    return { error: typeof code === 'string' ? code : message };
  } finally {
    clearTimeout(timer);
  }
}
