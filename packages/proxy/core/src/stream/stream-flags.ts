import type { BodyKind } from '@tulle/http1';

/** Where a stream stands in its walk; only grows, except that an attempt may be repeated. */
export const AT_REQUEST = 0;
/** The upstream is being asked. */
export const AT_ATTEMPTS = 1;
/** Response hooks run or the response is under way. */
export const AT_RESPONSE = 2;
/** Everything was said; the request may still be drained. */
export const AT_END = 3;
/** Where a stream stands in its walk. */
export type StreamPhase = typeof AT_REQUEST | typeof AT_ATTEMPTS | typeof AT_RESPONSE | typeof AT_END;

/** First bits of the numbers from 0 to 3, above the flags. */
const PHASE_BITS = 25;
const REQUEST_KIND_BITS = 27;
const RESPONSE_KIND_BITS = 29;

/**
 * What is true of a stream or not, each a bit of one number: as fields they would be a fifth of what an idle stream takes,
 * and `reset` puts them back in one.
 */
export abstract class StreamFlags {
  #bits = 0;

  /** All to false. */
  protected resetFlags(): void {
    this.#bits = 0;
  }

  /** Between begin and complete. */
  get live(): boolean {
    return (this.#bits & (1 << 0)) !== 0;
  }

  set live(value: boolean) {
    if (value) this.#bits |= 1 << 0;
    else this.#bits &= ~(1 << 0);
  }

  /** The caller speaks HTTP/2. */
  get http2(): boolean {
    return (this.#bits & (1 << 1)) !== 0;
  }

  set http2(value: boolean) {
    if (value) this.#bits |= 1 << 1;
    else this.#bits &= ~(1 << 1);
  }

  /** A route was looked for, found or not. */
  get routed(): boolean {
    return (this.#bits & (1 << 2)) !== 0;
  }

  set routed(value: boolean) {
    if (value) this.#bits |= 1 << 2;
    else this.#bits &= ~(1 << 2);
  }

  /** The caller sent the end of its request. */
  get requestReceived(): boolean {
    return (this.#bits & (1 << 3)) !== 0;
  }

  set requestReceived(value: boolean) {
    if (value) this.#bits |= 1 << 3;
    else this.#bits &= ~(1 << 3);
  }

  /** Request body passed all data hooks up to the end. */
  get requestEnded(): boolean {
    return (this.#bits & (1 << 4)) !== 0;
  }

  set requestEnded(value: boolean) {
    if (value) this.#bits |= 1 << 4;
    else this.#bits &= ~(1 << 4);
  }

  /** What still comes of the request is thrown away. */
  get discardRequest(): boolean {
    return (this.#bits & (1 << 5)) !== 0;
  }

  set discardRequest(value: boolean) {
    if (value) this.#bits |= 1 << 5;
    else this.#bits &= ~(1 << 5);
  }

  /** Expect: 100-continue, and nobody has said 100 or anything final. */
  get expectsContinue(): boolean {
    return (this.#bits & (1 << 6)) !== 0;
  }

  set expectsContinue(value: boolean) {
    if (value) this.#bits |= 1 << 6;
    else this.#bits &= ~(1 << 6);
  }

  /** CONNECT: there is no path. */
  get isConnect(): boolean {
    return (this.#bits & (1 << 7)) !== 0;
  }

  set isConnect(value: boolean) {
    if (value) this.#bits |= 1 << 7;
    else this.#bits &= ~(1 << 7);
  }

  /** A gRPC call, by its content type. */
  get grpc(): boolean {
    return (this.#bits & (1 << 8)) !== 0;
  }

  set grpc(value: boolean) {
    if (value) this.#bits |= 1 << 8;
    else this.#bits &= ~(1 << 8);
  }

  /** The route was chosen anew from within a hook. */
  get rematched(): boolean {
    return (this.#bits & (1 << 9)) !== 0;
  }

  set rematched(value: boolean) {
    if (value) this.#bits |= 1 << 9;
    else this.#bits &= ~(1 << 9);
  }

  /** In a pool's list of those that wait for a connection. */
  get waiting(): boolean {
    return (this.#bits & (1 << 10)) !== 0;
  }

  set waiting(value: boolean) {
    if (value) this.#bits |= 1 << 10;
    else this.#bits &= ~(1 << 10);
  }

  /** Something of the request went to an endpoint, in this attempt or an earlier one. */
  get sent(): boolean {
    return (this.#bits & (1 << 11)) !== 0;
  }

  set sent(value: boolean) {
    if (value) this.#bits |= 1 << 11;
    else this.#bits &= ~(1 << 11);
  }

  /** The end of the request went to the current attempt. */
  get attemptRequestEnded(): boolean {
    return (this.#bits & (1 << 12)) !== 0;
  }

  set attemptRequestEnded(value: boolean) {
    if (value) this.#bits |= 1 << 12;
    else this.#bits &= ~(1 << 12);
  }

  /** The cluster counts this stream as an active request. */
  get admitted(): boolean {
    return (this.#bits & (1 << 13)) !== 0;
  }

  set admitted(value: boolean) {
    if (value) this.#bits |= 1 << 13;
    else this.#bits &= ~(1 << 13);
  }

  /** The response is our own. */
  get responseLocal(): boolean {
    return (this.#bits & (1 << 14)) !== 0;
  }

  set responseLocal(value: boolean) {
    if (value) this.#bits |= 1 << 14;
    else this.#bits &= ~(1 << 14);
  }

  /** The head went to the caller: nothing can be answered otherwise any more. */
  get responseStarted(): boolean {
    return (this.#bits & (1 << 15)) !== 0;
  }

  set responseStarted(value: boolean) {
    if (value) this.#bits |= 1 << 15;
    else this.#bits &= ~(1 << 15);
  }

  /** All of the response was handed over. */
  get responseEnded(): boolean {
    return (this.#bits & (1 << 16)) !== 0;
  }

  set responseEnded(value: boolean) {
    if (value) this.#bits |= 1 << 16;
    else this.#bits &= ~(1 << 16);
  }

  /** Head hooks of the response are done; body may pass. */
  get responseHeadDone(): boolean {
    return (this.#bits & (1 << 17)) !== 0;
  }

  set responseHeadDone(value: boolean) {
    if (value) this.#bits |= 1 << 17;
    else this.#bits &= ~(1 << 17);
  }

  /** The head is held until buffered body hooks are done. */
  get responseHeadHeld(): boolean {
    return (this.#bits & (1 << 18)) !== 0;
  }

  set responseHeadHeld(value: boolean) {
    if (value) this.#bits |= 1 << 18;
    else this.#bits &= ~(1 << 18);
  }

  /** `reply()` was called and is not carried out yet. */
  get replyPending(): boolean {
    return (this.#bits & (1 << 19)) !== 0;
  }

  set replyPending(value: boolean) {
    if (value) this.#bits |= 1 << 19;
    else this.#bits &= ~(1 << 19);
  }

  /** It counts towards its cluster's limits of high priority. */
  get highPriority(): boolean {
    return (this.#bits & (1 << 20)) !== 0;
  }

  set highPriority(value: boolean) {
    if (value) this.#bits |= 1 << 20;
    else this.#bits &= ~(1 << 20);
  }

  /** It is counted among its cluster's retries. */
  get retrying(): boolean {
    return (this.#bits & (1 << 21)) !== 0;
  }

  set retrying(value: boolean) {
    if (value) this.#bits |= 1 << 21;
    else this.#bits &= ~(1 << 21);
  }

  /** Its virtual host was looked for, or is. */
  get askedHost(): boolean {
    return (this.#bits & (1 << 22)) !== 0;
  }

  set askedHost(value: boolean) {
    if (value) this.#bits |= 1 << 22;
    else this.#bits &= ~(1 << 22);
  }

  /** Its cluster was looked for, or is. */
  get askedCluster(): boolean {
    return (this.#bits & (1 << 23)) !== 0;
  }

  set askedCluster(value: boolean) {
    if (value) this.#bits |= 1 << 23;
    else this.#bits &= ~(1 << 23);
  }

  /** The response of the current attempt is delivered. */
  get served(): boolean {
    return (this.#bits & (1 << 24)) !== 0;
  }

  set served(value: boolean) {
    if (value) this.#bits |= 1 << 24;
    else this.#bits &= ~(1 << 24);
  }

  get phase(): StreamPhase {
    return ((this.#bits >>> PHASE_BITS) & 3) as StreamPhase;
  }

  set phase(value: StreamPhase) {
    this.#bits = (this.#bits & ~(3 << PHASE_BITS)) | (value << PHASE_BITS);
  }

  get requestBodyKind(): BodyKind {
    return ((this.#bits >>> REQUEST_KIND_BITS) & 3) as BodyKind;
  }

  set requestBodyKind(value: BodyKind) {
    this.#bits = (this.#bits & ~(3 << REQUEST_KIND_BITS)) | (value << REQUEST_KIND_BITS);
  }

  get responseBodyKind(): BodyKind {
    return ((this.#bits >>> RESPONSE_KIND_BITS) & 3) as BodyKind;
  }

  set responseBodyKind(value: BodyKind) {
    this.#bits = (this.#bits & ~(3 << RESPONSE_KIND_BITS)) | (value << RESPONSE_KIND_BITS);
  }

  /** The reason phrase of the endpoint's head goes with the status. */
  get ownReason(): boolean {
    return (this.#bits & (1 << 31)) !== 0;
  }

  set ownReason(value: boolean) {
    if (value) this.#bits |= 1 << 31;
    else this.#bits &= ~(1 << 31);
  }
}
