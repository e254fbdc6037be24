/** First of the bits of the reasons to pause. */
const PAUSED_AT = 12;

/** What is true of one side of an HTTP/2 stream or not, each a bit of one number: an idle stream has two sides, and keeps them for long. */
export abstract class SideFlags {
  #bits = 0;

  /** All to false. */
  protected resetFlags(): void {
    this.#bits = 0;
  }

  /** The peer ended its side. */
  get peerEnded(): boolean {
    return (this.#bits & 1) !== 0;
  }

  set peerEnded(value: boolean) {
    if (value) this.#bits |= 1;
    else this.#bits &= ~1;
  }

  /** The end came, and waits behind what is held. */
  protected get endHeld(): boolean {
    return (this.#bits & 2) !== 0;
  }

  protected set endHeld(value: boolean) {
    if (value) this.#bits |= 2;
    else this.#bits &= ~2;
  }

  /** A piece is being passed on. */
  protected get passing(): boolean {
    return (this.#bits & 4) !== 0;
  }

  protected set passing(value: boolean) {
    if (value) this.#bits |= 4;
    else this.#bits &= ~4;
  }

  /** It has its turn at the end of this one. */
  protected get scheduled(): boolean {
    return (this.#bits & 8) !== 0;
  }

  protected set scheduled(value: boolean) {
    if (value) this.#bits |= 8;
    else this.#bits &= ~8;
  }

  /** Between the pool and the pool. */
  protected get inUse(): boolean {
    return (this.#bits & 16) !== 0;
  }

  protected set inUse(value: boolean) {
    if (value) this.#bits |= 16;
    else this.#bits &= ~16;
  }

  /** Our message and its end were handed over. */
  protected get localEnded(): boolean {
    return (this.#bits & 32) !== 0;
  }

  protected set localEnded(value: boolean) {
    if (value) this.#bits |= 32;
    else this.#bits &= ~32;
  }

  /** The connection ended under it. */
  protected get lost(): boolean {
    return (this.#bits & 64) !== 0;
  }

  protected set lost(value: boolean) {
    if (value) this.#bits |= 64;
    else this.#bits &= ~64;
  }

  /** Of an endpoint: its head came. */
  protected get headSeen(): boolean {
    return (this.#bits & 128) !== 0;
  }

  protected set headSeen(value: boolean) {
    if (value) this.#bits |= 128;
    else this.#bits &= ~128;
  }

  /** Of an endpoint: the connection had served before. */
  get reused(): boolean {
    return (this.#bits & 256) !== 0;
  }

  set reused(value: boolean) {
    if (value) this.#bits |= 256;
    else this.#bits &= ~256;
  }

  /** Of a caller: `:protocol` of an extended CONNECT, which the chain sees as an upgrade. */
  protected get extended(): boolean {
    return (this.#bits & 512) !== 0;
  }

  protected set extended(value: boolean) {
    if (value) this.#bits |= 512;
    else this.#bits &= ~512;
  }

  /** Of a caller: a WebSocket of one that speaks HTTP/2 itself, for which the handshake of HTTP/1.1 was made up. */
  protected get ownKey(): boolean {
    return (this.#bits & 1024) !== 0;
  }

  protected set ownKey(value: boolean) {
    if (value) this.#bits |= 1024;
    else this.#bits &= ~1024;
  }

  /** Of a caller: the rest of the request is not wanted any more, now that it is answered. */
  protected get checkEnd(): boolean {
    return (this.#bits & 2048) !== 0;
  }

  protected set checkEnd(value: boolean) {
    if (value) this.#bits |= 2048;
    else this.#bits &= ~2048;
  }

  /** Why what comes is held: reasons, a bit each; 0 while it flows. */
  protected get pauses(): number {
    return (this.#bits >> PAUSED_AT) & 7;
  }

  protected set pauses(value: number) {
    this.#bits = (this.#bits & ~(7 << PAUSED_AT)) | (value << PAUSED_AT);
  }
}
