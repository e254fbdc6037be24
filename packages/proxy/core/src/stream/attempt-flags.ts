import { NEUTRAL, type Outcome } from '@tulle/balance';

const UNSENT = 1;
const REPEATABLE = 2;
const REUSED = 4;
const RUNNING = 8;
const COUNTED = 16;
const ENDED = 32;
/** First bits of the small numbers, above the flags. */
const OUTCOME_AT = 6;
/** `grpc-status` is 0 to 16; with one more for "none" it takes five bits. */
const GRPC_AT = 9;
const GRPC_OF_HEAD_AT = 14;
/** 100 to 999: ten bits. */
const STATUS_AT = 19;

/**
 * What is true of an attempt or not, and the small numbers that belong to it, in one number, for the same reason as
 * `StreamFlags`.
 */
export abstract class AttemptFlags {
  #bits = 0;

  /** All to false, none and 0. */
  protected resetFlags(): void {
    this.#bits = 0;
  }

  // What changes together is written together: each request passes here.

  protected flagsOfBegin(): void {
    this.#bits = UNSENT | RUNNING | (NEUTRAL << OUTCOME_AT);
  }

  protected flagsOfEnd(): void {
    const grpcBits = (this.#bits >> GRPC_AT) & 31;
    this.#bits = (this.#bits & ~RUNNING & ~(31 << GRPC_OF_HEAD_AT)) | ENDED | (grpcBits << GRPC_OF_HEAD_AT);
  }

  /** The head of the response came, which is the attempt's end. */
  protected flagsOfAnswer(status: number, grpcStatus: number, outcome: Outcome): void {
    this.#bits =
      (this.#bits & (UNSENT | REPEATABLE | REUSED | COUNTED)) |
      ENDED |
      (outcome << OUTCOME_AT) |
      ((grpcStatus + 1) << GRPC_AT) |
      ((grpcStatus + 1) << GRPC_OF_HEAD_AT) |
      (status << STATUS_AT);
  }

  /** Nothing of the request went to the endpoint, provably. */
  get unsent(): boolean {
    return (this.#bits & UNSENT) !== 0;
  }

  set unsent(value: boolean) {
    if (value) this.#bits |= UNSENT;
    else this.#bits &= ~UNSENT;
  }

  get repeatable(): boolean {
    return (this.#bits & REPEATABLE) !== 0;
  }

  set repeatable(value: boolean) {
    if (value) this.#bits |= REPEATABLE;
    else this.#bits &= ~REPEATABLE;
  }

  /** Its connection had served before. */
  get reused(): boolean {
    return (this.#bits & REUSED) !== 0;
  }

  set reused(value: boolean) {
    if (value) this.#bits |= REUSED;
    else this.#bits &= ~REUSED;
  }

  /** Between begin and end. */
  get running(): boolean {
    return (this.#bits & RUNNING) !== 0;
  }

  /** Whether `onStart` of the balancer's endpoint was called, and `onEnd` not yet. */
  get counted(): boolean {
    return (this.#bits & COUNTED) !== 0;
  }

  set counted(value: boolean) {
    if (value) this.#bits |= COUNTED;
    else this.#bits &= ~COUNTED;
  }

  /** It has ended; its entry in the record is written when somebody asks for it. */
  protected get ended(): boolean {
    return (this.#bits & ENDED) !== 0;
  }

  /** Of the head that came; what becomes of the rest of the response is told when that is over. */
  get outcome(): Outcome {
    return ((this.#bits >> OUTCOME_AT) & 7) as Outcome;
  }

  set outcome(value: Outcome) {
    this.#bits = (this.#bits & ~(7 << OUTCOME_AT)) | (value << OUTCOME_AT);
  }

  /** `grpc-status` of a gRPC call, from the head ("trailers-only") or, later, from the trailers; -1 before. */
  get grpcStatus(): number {
    return ((this.#bits >> GRPC_AT) & 31) - 1;
  }

  set grpcStatus(value: number) {
    this.#bits = (this.#bits & ~(31 << GRPC_AT)) | ((value + 1) << GRPC_AT);
  }

  /** The same as it was when the head was there. */
  protected get grpcStatusOfHead(): number {
    return ((this.#bits >> GRPC_OF_HEAD_AT) & 31) - 1;
  }

  /** Of the response; 0 while there is none. */
  get status(): number {
    return (this.#bits >> STATUS_AT) & 1023;
  }
}
