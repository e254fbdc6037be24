import { FieldTable } from '@tulle/fields';
import { RequestHead, ResponseHead } from '@tulle/http1';
import {
  ClientSession,
  type Http2Events,
  type Http2Options,
  type Http2Stream,
  ServerSession,
} from '../src/index.ts';
import { MemoryOutput } from './memory-pair.ts';

/** What one side saw of a stream. */
export interface Seen {
  readonly head: RequestHead | ResponseHead;
  readonly body: Buffer[];
  trailers: string[] | undefined;
  /** How the peer's side ended. */
  ended: boolean;
  end: string | undefined;
}

/** A line for each event, and the side's streams. */
export interface Log {
  readonly lines: string[];
  readonly streams: Map<number, Seen>;
}

export const newLog = (): Log => ({ lines: [], streams: new Map() });

export const fieldsOf = (table: FieldTable): string[] =>
  Array.from({ length: table.length }, (_, i) => `${table.name(i)}: ${table.value(i)}`);

export function tableOf(...lines: readonly string[]): FieldTable {
  const table = new FieldTable();
  for (const line of lines) {
    const colon = line.indexOf(':');
    table.add(line.slice(0, colon), line.slice(colon + 1));
  }
  return table;
}

export const bodyOf = (seen: Seen | undefined): string => Buffer.concat(seen?.body ?? []).toString('latin1');

/** Events that write everything down; `on` sees each before. */
export function recorder(log: Log, on: Partial<Http2Events<Seen>> = {}): Http2Events<Seen> {
  const note = (stream: Http2Stream<Seen>, line: string): void => {
    log.lines.push(`${stream.id} ${line}`);
  };
  const track = (stream: Http2Stream<Seen>, head: Seen['head']): Seen => {
    const seen: Seen = { head, body: [], trailers: undefined, ended: false, end: undefined };
    log.streams.set(stream.id, seen);
    return (stream.user = seen);
  };
  return {
    requestHead(stream) {
      if (on.requestHead !== undefined) {
        const head = on.requestHead(stream);
        if (head !== undefined) track(stream, head);
        return head;
      }
      return track(stream, new RequestHead()).head as RequestHead;
    },
    onHead(stream, endStream) {
      const { head } = stream.user;
      note(stream, `head ${head instanceof RequestHead ? `${head.method} ${head.path}` : head.status}`);
      if (endStream) stream.user.ended = true;
      on.onHead?.(stream, endStream);
    },
    onHeadFault(stream, fault, endStream) {
      note(stream, `answer ${fault.status} ${fault.rule}`);
      on.onHeadFault?.(stream, fault, endStream);
    },
    onInformational(stream) {
      note(stream, `interim ${(stream.user.head as ResponseHead).status}`);
      on.onInformational?.(stream);
    },
    onData(stream, chunk, start, end, endStream) {
      stream.user.body.push(Buffer.from(chunk.subarray(start, end)));
      if (endStream) stream.user.ended = true;
      on.onData?.(stream, chunk, start, end, endStream);
    },
    onEnd(stream, trailers) {
      stream.user.ended = true;
      stream.user.trailers = trailers === undefined ? undefined : fieldsOf(trailers);
      on.onEnd?.(stream, trailers);
    },
    onReset(stream, code, cause) {
      note(stream, `reset ${code} ${cause}`);
      if (stream.user !== undefined) stream.user.end = `reset ${code} ${cause}`;
      on.onReset?.(stream, code, cause);
    },
    onClosed(stream) {
      note(stream, 'closed');
      stream.user.end = 'closed';
      on.onClosed?.(stream);
    },
    onDrain(stream) {
      note(stream, 'drain');
      on.onDrain?.(stream);
    },
    onSettings() {
      log.lines.push('settings');
      on.onSettings?.();
    },
    onSettingsAck() {
      log.lines.push('settings ack');
      on.onSettingsAck?.();
    },
    onGoaway(last, code, debug) {
      log.lines.push(`goaway ${last} ${code} ${debug}`);
      on.onGoaway?.(last, code, debug);
    },
    onPong(token) {
      log.lines.push(`pong ${token}`);
      on.onPong?.(token);
    },
    onStreamFault(id, fault) {
      log.lines.push(`${id} fault ${fault.rule}`);
      on.onStreamFault?.(id, fault);
    },
    onFault(fault) {
      log.lines.push(`FAULT ${fault.rule} ${fault.h2Code}`);
      on.onFault?.(fault);
    },
  };
}

/** A client and a server, back to back over memory. */
export class Pair {
  readonly clientLog: Log = newLog();
  readonly serverLog: Log = newLog();
  readonly clientOutput: MemoryOutput = new MemoryOutput();
  readonly serverOutput: MemoryOutput = new MemoryOutput();
  readonly client: ClientSession<Seen>;
  readonly server: ServerSession<Seen>;
  nowMs = 0;

  constructor(
    options: {
      client?: Partial<Http2Options>;
      server?: Partial<Http2Options>;
      onClient?: Partial<Http2Events<Seen>>;
      onServer?: Partial<Http2Events<Seen>>;
    } = {},
  ) {
    this.client = new ClientSession(
      recorder(this.clientLog, options.onClient),
      this.clientOutput,
      options.client,
    );
    this.server = new ServerSession(
      recorder(this.serverLog, options.onServer),
      this.serverOutput,
      options.server,
    );
    this.client.start();
    this.server.start();
  }

  /** Opens a stream with a recorded response. */
  open(): Http2Stream<Seen> {
    const head = new ResponseHead();
    const seen: Seen = { head, body: [], trailers: undefined, ended: false, end: undefined };
    const stream = this.client.open(seen, head);
    this.clientLog.streams.set(stream.id, seen);
    return stream;
  }

  /** Sends a request. @returns its stream */
  request(
    method = 'GET',
    path = '/',
    fields: FieldTable = new FieldTable(),
    contentLength = -1,
    endStream = true,
  ): Http2Stream<Seen> {
    const stream = this.open();
    const fault = this.client.writeRequestHead(
      stream,
      method,
      'http',
      'a.example',
      path,
      fields,
      contentLength,
      endStream,
    );
    if (fault !== undefined) throw new Error(fault.reason);
    return stream;
  }

  /** Carries bytes both ways until nobody has more to say. @param cut how many bytes to hand over at once */
  run(cut: (left: number) => number = (left) => left): void {
    for (;;) {
      const up = this.clientOutput.take();
      const down = this.serverOutput.take();
      if (up.length + down.length === 0) return;
      deliver(up, cut, (chunk) => this.server.receive(chunk, 0, chunk.length, this.nowMs));
      deliver(down, cut, (chunk) => this.client.receive(chunk, 0, chunk.length, this.nowMs));
      this.client.pump();
      this.server.pump();
    }
  }
}

/** Hands `bytes` over in pieces, each in a buffer that is overwritten afterwards, as a shared read buffer is (decision D1). */
export function deliver(
  bytes: Buffer,
  cut: (left: number) => number,
  receive: (chunk: Buffer) => void,
): void {
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, Math.min(cut(bytes.length - at), bytes.length - at));
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    receive(chunk);
    chunk.fill(0xee);
    at += size;
  }
}
