import { RequestHead, ResponseHead } from '@tulle/http1';
import type { FieldTable } from '@tulle/fields';
import {
  ClientSession,
  type FrameOutput,
  H2_CANCEL,
  H2_INTERNAL_ERROR,
  type Http2Events,
  type Http2Options,
  type Http2Stream,
  ServerSession,
} from '../src/index.ts';

/** One request on its way through the pipe. */
export class Passage {
  readonly request: RequestHead = new RequestHead();
  readonly response: ResponseHead = new ResponseHead();
  down: Http2Stream<Passage> | undefined = undefined;
  up: Http2Stream<Passage> | undefined = undefined;
  /** The connection that it came on. */
  server: ServerSession<Passage> | undefined = undefined;
}

/**
 * The least that a proxy does, so the floor of its cost: requests of any number of downstream connections leave on one
 * upstream connection, bodies and windows coupled, nothing looked at.
 */
export class Pipe {
  readonly upstream: ClientSession<Passage>;
  readonly #free: Passage[] = [];

  constructor(upstreamOutput: FrameOutput, options: Partial<Http2Options> = {}) {
    this.upstream = new ClientSession<Passage>(this.#upstreamEvents(), upstreamOutput, options);
    this.upstream.start();
  }

  /** Takes a downstream connection. */
  serve(output: FrameOutput, options: Partial<Http2Options> = {}): ServerSession<Passage> {
    const events = this.#downstreamEvents();
    const session = new ServerSession<Passage>(events, output, options);
    events.requestHead = (stream) => {
      const passage = this.#free.pop() ?? new Passage();
      passage.down = stream;
      passage.server = session;
      stream.user = passage;
      return passage.request;
    };
    session.start();
    return session;
  }

  #over(passage: Passage): void {
    if (passage.down !== undefined || passage.up !== undefined) return;
    passage.server = undefined;
    this.#free.push(passage);
  }

  #downstreamEvents(): Http2Events<Passage> {
    const { upstream } = this;
    return {
      ...NOTHING,
      onHead: (stream, endStream) => {
        const passage = stream.user;
        const { request } = passage;
        if (!upstream.canOpen) return this.#giveUp(passage);
        const up = (passage.up = upstream.open(passage, passage.response));
        const fault = upstream.writeRequestHead(
          up,
          request.method,
          request.scheme,
          request.authority,
          request.path,
          request.fields,
          request.contentLength,
          endStream,
        );
        if (fault === undefined) return;
        passage.up = undefined;
        this.#giveUp(passage);
      },
      onData: (stream, chunk, start, end, endStream) => {
        const { up, server } = stream.user;
        if (up !== undefined) upstream.writeData(up, chunk, start, end, false, endStream);
        if (up === undefined || up.writable) server?.consume(stream, end - start);
      },
      onEnd: (stream, trailers) => {
        const { up } = stream.user;
        if (up !== undefined) upstream.writeEnd(up, trailers);
      },
      onReset: (stream) => {
        const passage = stream.user;
        passage.down = undefined;
        if (passage.up !== undefined) upstream.reset(passage.up, H2_CANCEL);
        passage.up = undefined;
        this.#over(passage);
      },
      onClosed: (stream) => {
        const passage = stream.user;
        passage.down = undefined;
        this.#over(passage);
      },
    };
  }

  #giveUp(passage: Passage): void {
    if (passage.down !== undefined) passage.server?.reset(passage.down, H2_INTERNAL_ERROR);
    passage.down = undefined;
    this.#over(passage);
  }

  #upstreamEvents(): Http2Events<Passage> {
    return {
      ...NOTHING,
      onHead: (stream, endStream) => {
        const { down, server, response } = stream.user;
        if (down !== undefined)
          server?.writeHead(down, response.status, response.fields, response.contentLength, endStream);
      },
      onData: (stream, chunk, start, end, endStream) => {
        const { down, server } = stream.user;
        if (down !== undefined) server?.writeData(down, chunk, start, end, false, endStream);
        if (down === undefined || down.writable) this.upstream.consume(stream, end - start);
      },
      onEnd: (stream, trailers) => {
        const { down, server } = stream.user;
        if (down !== undefined) server?.writeEnd(down, trailers);
      },
      onReset: (stream) => {
        const passage = stream.user;
        passage.up = undefined;
        this.#giveUp(passage);
      },
      onClosed: (stream) => {
        const passage = stream.user;
        passage.up = undefined;
        this.#over(passage);
      },
    };
  }
}

/** Events that nobody minds. */
export const NOTHING: Http2Events<unknown> = {
  requestHead: () => undefined,
  onHead() {},
  onHeadFault() {},
  onInformational() {},
  onData() {},
  onEnd(_stream, _trailers: FieldTable | undefined) {},
  onReset() {},
  onClosed() {},
  onDrain() {},
  onSettings() {},
  onSettingsAck() {},
  onGoaway() {},
  onPong() {},
  onStreamFault() {},
  onFault() {},
};
