import type { Socket as NetSocket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * Writes straight into the handle below a plain socket. `Socket.write` makes a request object, a state change and a tick of
 * the queue for each write, also when the kernel takes all of it at once, as it nearly always does: some 4 % of a small
 * proxied request. This is private API of Node (decision D1), the same that `Socket.write` calls; where it is not there,
 * {@link directWriter} gives nothing and the socket writes as usual.
 */
export interface DirectWriter {
  /**
   * Bytes of a write that the kernel did not take at once, until all of them are gone. At most one write waits here, later
   * ones go the usual way behind it.
   */
  readonly waitingBytes: number;
  /** @returns whether the kernel took all of it; else `bytes` must not be touched until `onDone` was called */
  write(bytes: Buffer): boolean;
}

/** What libuv keeps of one write; it is only used up when the write is told of later. */
interface WriteRequest {
  handle: unknown;
  buffer: Buffer | undefined;
  oncomplete(status: number): void;
}

interface StreamHandle {
  readonly writeQueueSize: number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

/** The part of Node's binding that is used. */
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  /** Where in it stands whether the last write is told of later. */
  readonly kLastWriteWasAsync: number;
}

const binding: StreamBinding | undefined = findBinding();

/** @param onDone the write that waited is done */
export function directWriter(raw: NetSocket, onDone: () => void): DirectWriter | undefined {
  const handle = (raw as unknown as { readonly _handle?: Partial<StreamHandle> | null })._handle;
  if (binding === undefined || !isStreamHandle(handle)) return undefined;
  return new HandleWriter(binding, raw, handle, onDone);
}

class HandleWriter implements DirectWriter {
  readonly #binding: StreamBinding;
  readonly #raw: NetSocket;
  readonly #handle: StreamHandle;
  readonly #onDone: () => void;
  #request: WriteRequest | undefined = undefined;
  #waiting: WriteRequest | undefined = undefined;
  waitingBytes = 0;

  constructor(node: StreamBinding, raw: NetSocket, handle: StreamHandle, onDone: () => void) {
    this.#binding = node;
    this.#raw = raw;
    this.#handle = handle;
    this.#onDone = onDone;
  }

  write(bytes: Buffer): boolean {
    const request = (this.#request ??= this.#newRequest());
    const status = this.#handle.writeBuffer(request, bytes);
    if (status !== 0) {
      this.#fail(status);
      return true;
    }
    const { streamBaseState, kLastWriteWasAsync } = this.#binding;
    if (streamBaseState[kLastWriteWasAsync] === 0) return true;
    this.#request = undefined;
    // The kernel may have taken the rest since it refused it: then all is gone, and only the request still comes back.
    const waiting = this.#handle.writeQueueSize;
    if (waiting === 0) return true;
    request.buffer = bytes;
    this.#waiting = request;
    this.waitingBytes = waiting;
    return false;
  }

  #newRequest(): WriteRequest {
    const request = new this.#binding.WriteWrap();
    request.handle = this.#handle;
    request.buffer = undefined;
    request.oncomplete = (status) => {
      request.buffer = undefined;
      const waited = this.#waiting === request;
      if (waited) {
        this.#waiting = undefined;
        this.waitingBytes = 0;
      }
      if (status !== 0) this.#fail(status);
      else if (waited) this.#onDone();
    };
    return request;
  }

  #fail(status: number): void {
    if (this.#raw.destroyed) return;
    const code = getSystemErrorName(status);
    this.#raw.destroy(Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' }));
  }
}

function isStreamHandle(handle: Partial<StreamHandle> | null | undefined): handle is StreamHandle {
  return typeof handle?.writeBuffer === 'function' && typeof handle.writeQueueSize === 'number';
}

function findBinding(): StreamBinding | undefined {
  try {
    const found = (process as unknown as { binding?(name: string): Partial<StreamBinding> }).binding?.(
      'stream_wrap',
    );
    const whole =
      typeof found?.WriteWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kLastWriteWasAsync === 'number';
    return whole ? (found as StreamBinding) : undefined;
  } catch {
    return undefined;
  }
}
