import type { FieldTable } from '@tulle/fields';
import type { RecordConnection, RecordFieldBytes, RecordTimes } from '@tulle/telemetry';
import type { TlsPeer } from '../ports.ts';
import { recordConnection } from './record-connection.ts';
import { protocolOf, type Stream } from './stream.ts';

/** What of a stream's record is looked up only when it is asked for. */

export function downstreamOf(stream: Stream): RecordConnection | undefined {
  const connection: Stream['downstream']['connection'] & {
    readonly id?: number;
    readonly tlsPeer?: TlsPeer | undefined;
  } = stream.downstream.connection;
  if (connection.id === undefined) return undefined;
  return recordConnection(connection.id, protocolOf(stream), connection, connection.tlsPeer);
}

export function upstreamOf({ attempt: { line } }: Stream): RecordConnection | undefined {
  return line && recordConnection(line.id, line.protocol, line.socket, line.socket.tls);
}

export function timesOf({ requestEndMs, attempt }: Stream): RecordTimes {
  const { startedUs = 0, headUs = 0 } = attempt;
  return {
    requestEndMs,
    connectedMs: milliseconds(attempt.connectedUs),
    requestSentMs: milliseconds(attempt.sentUs),
    responseHeadMs: attempt.status === 0 ? -1 : milliseconds(startedUs + headUs),
  };
}

const milliseconds = (micros: number | undefined): number => (micros === undefined ? -1 : micros / 1000);

/** As Envoy counts them: names and values, pseudo fields with theirs. */
export function fieldBytesOf(stream: Stream): RecordFieldBytes {
  const { query } = stream;
  const path = stream.path.length + (query === undefined ? 0 : query.length + 1);
  const pseudo =
    ':method'.length + stream.method.length + ':path'.length + path + ':scheme'.length + stream.scheme.length;
  const host = ':authority'.length + stream.authority.length;
  return {
    request: stream.method === '' ? 0 : pseudo + host + bytesOf(stream.headers, 'host'),
    response: stream.status === 0 ? 0 : ':status200'.length + bytesOf(stream.responseFields),
    responseTrailers: stream.responseTrailers === undefined ? 0 : bytesOf(stream.responseTrailers),
  };
}

function bytesOf(fields: FieldTable, except?: string): number {
  let bytes = 0;
  for (let i = 0; i < fields.length; i++) {
    const name = fields.name(i);
    if (name !== except) bytes += name.length + fields.value(i).length;
  }
  return bytes;
}
