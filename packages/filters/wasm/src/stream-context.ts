import type { HttpStream, Verdict } from '@tulle/filter';
import type { Vm } from './vm.ts';

/** Nothing is held. */
export const NO_BYTES: Uint8Array = new Uint8Array();

/** A direction of a stream. */
export type Side = 'request' | 'response';

/** What is remembered of one direction. */
export interface SideState {
  /** What the guest may read and change in this callback, and what it has held back before. */
  body: Uint8Array;
  /** The hook that waits for the guest to let it go on. */
  resume: ((verdict: Verdict) => void) | undefined;
  /** What the hook that waits is to do when it goes on. */
  goOn: (() => Verdict) | undefined;
  /** The guest has said that this direction goes on, before or while nothing waited. */
  resumed: boolean;
  /** The body's end was seen, and with it the trailers. */
  ended: boolean;
}

/** An answer of the guest's own. */
export interface LocalReply {
  readonly status: number;
  readonly details: string;
  readonly body: Uint8Array;
  /** Flat `[name, value, …]` */
  readonly headers: readonly string[];
  /** -1 for none. */
  readonly grpcStatus: number;
}

/** A stream as a guest sees it; pooled. */
export class StreamContext {
  /** 0: none of the guest's. */
  id = 0;
  vm: Vm | undefined;
  /** When it was begun, as the wall clock says, in milliseconds. */
  beganMs = 0;
  /** Absent when it is over. */
  stream: HttpStream | undefined;
  readonly request: SideState = newSide();
  readonly response: SideState = newSide();
  /** The guest answers the caller. */
  reply: LocalReply | undefined;
  /** It has. */
  replied = false;
  /** The guest ends the stream. */
  closed = false;
  /** A hook of this stream runs: it will look at what the guest says. */
  inHook = false;
  /** The caller has seen the beginning of the response. */
  begun = false;
  /** The guest wants the route matched anew, when its callback is over. */
  rematch = false;
  /** The head of the request has passed: the route stays. */
  routed = false;
  /** The guest is not asked any more. */
  done = false;
  /** What the guest has set. */
  properties: Map<string, Uint8Array> | undefined;

  reset(): void {
    this.id = 0;
    this.vm = undefined;
    this.beganMs = 0;
    this.stream = undefined;
    resetSide(this.request);
    resetSide(this.response);
    this.reply = undefined;
    this.replied = false;
    this.closed = false;
    this.inHook = false;
    this.begun = false;
    this.rematch = false;
    this.routed = false;
    this.done = false;
    this.properties = undefined;
  }
}

function newSide(): SideState {
  return { body: NO_BYTES, resume: undefined, goOn: undefined, resumed: false, ended: false };
}

function resetSide(side: SideState): void {
  side.body = NO_BYTES;
  side.resume = undefined;
  side.goOn = undefined;
  side.resumed = false;
  side.ended = false;
}
