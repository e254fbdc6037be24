import type { Socket } from 'node:net';
import type { Exchange } from './configuration.ts';
import {
  ACK,
  END_STREAM,
  frame,
  PADDED,
  PREFACE,
  readFrames,
  statusOf,
  TYPE,
  uint16,
  uint32,
} from './frames.ts';
import { type ClientCredentials, dial } from './http1-client.ts';
import type { Reply } from './reply.ts';

/** How long frames may lead to nothing. */
const PATIENCE_MS = 2_000;
/** SETTINGS_HEADER_TABLE_SIZE: no table, so that every block can be read by itself. */
const SETTINGS = frame(TYPE.settings, 0, 0, uint16(1) + uint32(0));
const PROBE = 'probe!!!';

/**
 * Writes frames to what may take them for HTTP/2, after the preface and settings, and waits until every stream that they open has
 * ended, or the connection has; then asks whether it goes on. Of a stream its status counts, or that it was reset.
 */
export async function askFrames(port: number, exchange: Exchange, known: ClientCredentials): Promise<Reply> {
  let socket: Socket;
  try {
    socket = await dial(port, exchange.tls, known);
  } catch (error) {
    return { outcome: 'no connection', note: String((error as { code?: string }).code ?? error) };
  }
  const sent = Buffer.from(exchange.bytes ?? '', 'latin1');
  const all = readFrames(sent).frames;
  const opened = all.filter(({ type, stream }) => type === TYPE.headers && stream % 2 === 1);
  // What comes of a stream that the client gives up counts for nothing: it may be on its way already.
  const givenUp = new Set(all.filter(({ type }) => type === TYPE.reset).map(({ stream }) => stream));
  const streams = new Map(
    opened
      .filter(({ stream }) => !givenUp.has(stream))
      .map(({ stream }) => [stream, { said: 'nothing', octets: 0, ended: false }]),
  );
  return new Promise((resolve) => {
    let rest: Buffer = Buffer.alloc(0);
    let probed = false;
    const finish = (fate: Reply['fate'], note?: string): void => {
      clearTimeout(deadline);
      socket.removeAllListeners('data').destroy();
      resolve({
        outcome: 'answered',
        ...(fate === undefined ? {} : { fate }),
        statuses: [...streams].map(
          ([stream, { said, octets }]) =>
            `${stream}: ${said}${exchange.counted === true ? `, ${octets} octets` : ''}`,
        ),
        ...(note === undefined ? {} : { note }),
      });
    };
    const deadline = setTimeout(() => finish('silent'), PATIENCE_MS);
    const probe = (): void => {
      if (probed || ![...streams.values()].every(({ ended }) => ended)) return;
      probed = true;
      socket.write(frame(TYPE.ping, 0, 0, PROBE), 'latin1');
    };
    socket.on('data', (piece: Buffer) => {
      const { frames, length } = readFrames((rest = Buffer.concat([rest, piece])));
      rest = rest.subarray(length);
      for (const { type, flags, stream, payload } of frames) {
        if (type === TYPE.settings && (flags & ACK) === 0)
          socket.write(frame(TYPE.settings, ACK, 0), 'latin1');
        if (type === TYPE.goaway && payload.readUInt32BE(4) !== 0)
          return finish('closed', payload.toString('latin1', 8));
        if (type === TYPE.ping && (flags & ACK) !== 0 && payload.toString() === PROBE) return finish('open');
        const one = streams.get(stream);
        if (one === undefined) continue;
        if (type === TYPE.data) one.octets += contentOf(flags, payload);
        if (type === TYPE.headers && one.said === 'nothing') one.said = statusOf(payload, flags);
        if (type === TYPE.reset) {
          // After an answer it says that no more of the request is wanted.
          if (!one.ended) one.said = one.said === 'nothing' ? 'reset' : `${one.said}, reset`;
          one.ended = true;
        }
        if ((type === TYPE.headers || type === TYPE.data) && (flags & END_STREAM) !== 0) one.ended = true;
      }
      probe();
    });
    socket.on('end', () => finish('closed')).on('close', () => finish('closed'));
    socket.write(Buffer.from(PREFACE + SETTINGS, 'latin1'));
    socket.write(sent);
    probe();
  });
}

/** Octets of content in a frame DATA, without its padding. */
function contentOf(flags: number, payload: Buffer): number {
  return (flags & PADDED) === 0 ? payload.length : payload.length - 1 - payload.readUInt8(0);
}
