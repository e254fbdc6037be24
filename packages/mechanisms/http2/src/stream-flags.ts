/** First of the two bits that say how far a direction came. */
const PEER_AT = 8;
const LOCAL_AT = 10;
/** First bit of the number of interim responses, up to a million. */
const INTERIMS_AT = 12;

/** What is true of a stream or not, and where its two directions stand, in one number: of idle streams there are many. */
export abstract class StreamFlags {
  #bits = 0;

  /** All to false. */
  protected resetFlags(): void {
    this.#bits = 0;
  }

  /**
   * Set by an owner that uses the stream as a socket: `onDrain` comes whenever nothing is queued any more, also behind the end; not at
   * half of `streamQueueBytes`.
   */
  get tellsEmpty(): boolean {
    return (this.#bits & 1) !== 0;
  }

  set tellsEmpty(value: boolean) {
    if (value) this.#bits |= 1;
    else this.#bits &= ~1;
  }

  /** Client: the request was HEAD, or (with the status) content cannot come. Server: the answer carries none. */
  get bodiless(): boolean {
    return (this.#bits & 2) !== 0;
  }

  set bodiless(value: boolean) {
    if (value) this.#bits |= 2;
    else this.#bits &= ~2;
  }

  /** The request got a fault that is answered: what still comes is not told. */
  get muted(): boolean {
    return (this.#bits & 4) !== 0;
  }

  set muted(value: boolean) {
    if (value) this.#bits |= 4;
    else this.#bits &= ~4;
  }

  /** Between the event that began it and the one that ended it. */
  get open(): boolean {
    return (this.#bits & 8) !== 0;
  }

  set open(value: boolean) {
    if (value) this.#bits |= 8;
    else this.#bits &= ~8;
  }

  /** In the ring of the sender. */
  get inRing(): boolean {
    return (this.#bits & 16) !== 0;
  }

  set inRing(value: boolean) {
    if (value) this.#bits |= 16;
    else this.#bits &= ~16;
  }

  /** Client: the request was CONNECT, extended or not: a 2xx makes a tunnel. */
  get connect(): boolean {
    return (this.#bits & 32) !== 0;
  }

  set connect(value: boolean) {
    if (value) this.#bits |= 32;
    else this.#bits &= ~32;
  }

  /** See {@link writable}. */
  protected get full(): boolean {
    return (this.#bits & 64) !== 0;
  }

  protected set full(value: boolean) {
    if (value) this.#bits |= 64;
    else this.#bits &= ~64;
  }

  /** False while more than `streamQueueBytes` are queued: stop the source; `onDrain` says when to go on. */
  get writable(): boolean {
    return !this.full;
  }

  set writable(value: boolean) {
    this.full = !value;
  }

  /** How far the peer's message came, `PEER_…`. */
  get peer(): number {
    return (this.#bits >> PEER_AT) & 3;
  }

  set peer(value: number) {
    this.#bits = (this.#bits & ~(3 << PEER_AT)) | (value << PEER_AT);
  }

  /** How far our message came, `LOCAL_…`. */
  get local(): number {
    return (this.#bits >> LOCAL_AT) & 3;
  }

  set local(value: number) {
    this.#bits = (this.#bits & ~(3 << LOCAL_AT)) | (value << LOCAL_AT);
  }

  /** Client: interim responses so far. */
  get interims(): number {
    return this.#bits >>> INTERIMS_AT;
  }

  set interims(value: number) {
    this.#bits = (this.#bits & ((1 << INTERIMS_AT) - 1)) | (value << INTERIMS_AT);
  }
}
