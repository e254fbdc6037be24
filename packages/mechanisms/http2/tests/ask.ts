/**
 * Asks one HTTP/2 server in clear text for `/` and prints what came, to point a conformance suite at: `node tests/ask.ts URL`.
 * Ends with the connection, or a second after the answer.
 */
import { FieldTable } from '@tulle/fields';
import { ResponseHead } from '@tulle/http1';
import { connect } from 'node:net';
import { ClientSession, type Http2Events } from '../src/index.ts';
import { SocketOutput } from './socket-output.ts';

const url = new URL(process.argv[2] ?? 'http://127.0.0.1:8080/');
const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
const output = new SocketOutput(socket);
const head = new ResponseHead();

const events: Http2Events<undefined> = {
  requestHead: () => undefined,
  onHead: () => console.log(head.status),
  onHeadFault() {},
  onInformational() {},
  onData(stream, _chunk, start, end) {
    session.consume(stream, end - start);
  },
  onEnd() {},
  onReset: (_stream, code, cause) => console.log(`reset ${code} by ${cause}`),
  onClosed: () => console.log('closed'),
  onDrain() {},
  onSettings() {},
  onSettingsAck() {},
  onGoaway: (_last, code, debug) => console.log(`goaway ${code} ${debug}`),
  onPong() {},
  onStreamFault: (_id, fault) => console.log(fault.rule),
  onFault(fault) {
    console.log(fault.rule);
    output.flush();
    socket.end();
  },
};
const session = new ClientSession<undefined>(events, output);
session.start();
const stream = session.open(undefined, head);
session.writeRequestHead(stream, 'GET', 'http', url.host, '/', new FieldTable(), -1, true);
socket.on('data', (chunk: Buffer) => session.receive(chunk, 0, chunk.length, performance.now()));
socket.on('drain', () => session.pump());
socket.on('end', () => socket.end());
socket.on('error', () => socket.destroy());
socket.on('close', () => process.exit(0));
