import { CONTINUE, STOP, TulleError, type HookResult } from '@tulle/filter';
import { SITE_BODY_STOPPED } from '../stream/sites.ts';
import type { BodyHooks } from '../stream/stream-extras.ts';
import type { Stream } from '../stream/stream.ts';
import { StreamView } from '../stream/views.ts';
import { recordFailure } from './reply.ts';
import { isThenable } from '../thenable.ts';
import { filterFailed, judge, settled, stateOf } from './run.ts';
import { BUFFER, TRANSFORM, type DataStep } from './tables.ts';
import { copyBytes, joinBytes, NO_BYTES, type Bytes } from '../bytes.ts';

/** What a pipe does with what its hooks let through. */
export interface PipeOutlet {
  /** @param end whether it is the last @returns whether `bytes` are kept (D1) */
  onPiece(stream: Stream, bytes: Bytes, end: boolean): boolean;
  /** The body passed whole. */
  onBodyEnd(stream: Stream): void;
  /** A hook replied, failed, or its cap was passed: the reply is recorded in the stream. */
  onStopped(stream: Stream): void;
  /** A hook's promise is pending (true) or has settled (false): reading stops meanwhile. */
  onWaiting(stream: Stream, waiting: boolean): void;
}

/**
 * The data hooks of one direction of one stream. Made only where a filter in force has such a hook: bodies without
 * one pass by uncopied.
 */
export class BodyPipe implements BodyHooks {
  /** A hook put other bytes in the place of those that came. */
  changed = false;
  readonly #stream: Stream;
  readonly #steps: readonly DataStep[];
  readonly #outlet: PipeOutlet;
  readonly #response: boolean;
  readonly #view: StreamView;
  /** Collected bytes of buffering steps, by step. */
  readonly #parts: (Bytes[] | undefined)[] = [];
  readonly #sizes: number[] = [];
  /** By steps that want the beginning alone and have it: what passes behind it. */
  readonly #rests: (Bytes | undefined)[] = [];
  #emitted: Bytes[] | undefined;
  /** Whether a hook (or its promise) runs, so that `emit` belongs to it. */
  #emitting = false;
  #kept = false;
  #waiting = false;
  #ended = false;
  /** The end came while a hook was pending. */
  #endHeld = false;
  #stopped = false;

  constructor(stream: Stream, steps: readonly DataStep[], response: boolean, outlet: PipeOutlet) {
    this.#stream = stream;
    this.#steps = steps;
    this.#outlet = outlet;
    this.#response = response;
    this.#view = new StreamView(stream, this);
  }

  /** Revokes the view that data hooks got. */
  revoke(): void {
    this.#view.revoke();
    this.#stopped = true;
  }

  /** A piece of body. @returns whether `chunk` is kept (D1) */
  push(chunk: Bytes, start: number, end: number, owned: boolean): boolean {
    if (this.#stopped) return false;
    // Hooks may keep bytes over a promise, so what stands in the shared read buffer is copied first.
    const bytes = owned ? chunk.subarray(start, end) : copyBytes(chunk.subarray(start, end));
    this.#kept = false;
    this.#run(0, bytes, false);
    return owned && (this.#kept || this.#waiting);
  }

  /** No more body. */
  end(): void {
    if (this.#stopped) return;
    if (this.#waiting) {
      this.#endHeld = true;
      return;
    }
    this.#run(0, NO_BYTES, true);
  }

  /** `stream.emit()` from a hook of this pipe. */
  emit(bytes: Uint8Array): void {
    if (!this.#emitting)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.emit() outside a data hook: emit before the hook returned, or before its promise settled.',
      );
    this.#emitted ??= [];
    if (bytes.length > 0) this.#emitted.push(copyBytes(bytes));
  }

  #run(from: number, piece: Bytes, end: boolean): void {
    const stream = this.#stream;
    const steps = this.#steps;
    let bytes = piece;
    for (let i = from; i < steps.length; i++) {
      const step = steps[i] as DataStep;
      let last = end;
      if (step.mode === BUFFER) {
        if (this.#rests[i] !== undefined) continue;
        const whole = this.#collect(i, step, bytes, end);
        if (whole === undefined) return;
        bytes = whole;
        last = end && (this.#rests[i]?.length ?? 0) === 0;
      }
      this.#emitted = undefined;
      this.#emitting = true;
      stream.slot = step.filter.slot;
      let verdict: HookResult;
      try {
        verdict = step.run(
          this.#view,
          step.config,
          step.filter.states === undefined ? undefined : stateOf(stream, step.filter),
          bytes,
          last,
        );
      } catch (error) {
        verdict = filterFailed(stream, step.filter, error);
      }
      if (verdict !== CONTINUE) {
        if (isThenable(verdict)) {
          this.#wait(i, step, bytes, end, verdict);
          return;
        }
        verdict = judge(stream, step.filter, verdict);
      }
      this.#emitting = false;
      if (verdict === STOP || stream.replyPending) return this.#stop();
      bytes = this.#result(i, step, bytes);
      if (bytes.length === 0 && !end) return;
    }
    if (bytes.length > 0 && this.#outlet.onPiece(stream, bytes, end) && bytes.buffer === piece.buffer)
      this.#kept = true;
    if (end && !this.#ended && !this.#stopped) {
      this.#ended = true;
      this.#outlet.onBodyEnd(stream);
    }
  }

  #result(index: number, step: DataStep, bytes: Bytes): Bytes {
    const emitted = this.#emitted;
    const rest = this.#rests[index];
    this.#emitted = undefined;
    // It leaves with this; what passes later must not keep it.
    if (rest !== undefined) this.#rests[index] = NO_BYTES;
    if (emitted !== undefined) this.changed = true;
    else if (step.mode === TRANSFORM) return NO_BYTES;
    else if (rest === undefined) return bytes;
    return joinBytes([...(emitted ?? [bytes]), ...(rest === undefined ? [] : [rest])]);
  }

  /** @returns the whole body at its end, its beginning where that is enough, else `undefined` before the end and past the cap */
  #collect(index: number, step: DataStep, bytes: Bytes, end: boolean): Bytes | undefined {
    const parts = (this.#parts[index] ??= []);
    const size = (this.#sizes[index] ?? 0) + bytes.length;
    if (size > step.maxBytes && step.partial) {
      this.#parts[index] = undefined;
      const known = joinBytes([...parts, bytes]);
      this.#rests[index] = known.subarray(step.maxBytes);
      return known.subarray(0, step.maxBytes);
    }
    if (size > step.maxBytes && !(this.#response && this.#stream.responseLocal)) {
      const code = this.#response ? 'TULLE_UPSTREAM_PROTOCOL' : 'TULLE_BODY_TOO_LARGE';
      recordFailure(
        this.#stream,
        code,
        `${this.#response ? 'response' : 'request'}_payload_too_large{${step.filter.name},${step.maxBytes}}`,
      );
      this.#stream.engine.metrics.bodyBufferOverflows.add();
      this.#stop();
      return undefined;
    }
    this.#sizes[index] = size;
    // Small copies instead of slices that would each keep a read buffer.
    if (bytes.length > 0) parts.push(end ? bytes : copyBytes(bytes));
    if (!end) return undefined;
    this.#parts[index] = undefined;
    return joinBytes(parts);
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stream.note(SITE_BODY_STOPPED, this.#stream.slot, this.#response ? 1 : 0);
    this.#outlet.onStopped(this.#stream);
  }

  #wait(index: number, step: DataStep, bytes: Bytes, end: boolean, promise: Promise<number>): void {
    const stream = this.#stream;
    this.#waiting = true;
    stream.pendingHooks++;
    this.#outlet.onWaiting(stream, true);
    const goOn = (verdict: number): void => {
      this.#waiting = false;
      this.#emitting = false;
      stream.slot = step.filter.slot;
      if (verdict === STOP || stream.replyPending) return this.#stop();
      const result = this.#result(index, step, bytes);
      if (result.length > 0 || end) this.#run(index + 1, result, end);
      if (this.#stopped || this.#waiting) return;
      if (this.#endHeld) {
        this.#endHeld = false;
        this.#run(0, NO_BYTES, true);
      }
      if (!this.#waiting && !this.#stopped && stream.live) this.#outlet.onWaiting(stream, false);
    };
    promise.then(
      (verdict) =>
        settled(stream, () => goOn(verdict === CONTINUE ? CONTINUE : judge(stream, step.filter, verdict))),
      (error: unknown) =>
        settled(stream, () => goOn(filterFailed(stream, step.filter, error)), error, step.filter),
    );
  }
}
