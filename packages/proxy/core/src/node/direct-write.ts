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

/** What libuv keeps of one write; it is only used up when the kernel did not take all at once. */
interface WriteRequest {
  handle: unknown;
  buffer: Buffer | undefined;
  oncomplete(status: number): void;
}

interface StreamHandle {
  readonly writeQueueSize: number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

const WriteRequestOfNode = findWriteRequest();

/** @param onDone the write that waited is done */
export function directWriter(raw: NetSocket, onDone: () => void): DirectWriter | undefined {
  const handle = (raw as unknown as { readonly _handle?: Partial<StreamHandle> | null })._handle;
  if (WriteRequestOfNode === undefined || !isStreamHandle(handle)) return undefined;
  return new HandleWriter(WriteRequestOfNode, raw, handle, onDone);
}

class HandleWriter implements DirectWriter {
  readonly #Request: new () => WriteRequest;
  readonly #raw: NetSocket;
  readonly #handle: StreamHandle;
  readonly #onDone: () => void;
  #request: WriteRequest | undefined = undefined;
  waitingBytes = 0;

  constructor(Request: new () => WriteRequest, raw: NetSocket, handle: StreamHandle, onDone: () => void) {
    this.#Request = Request;
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
    const waiting = this.#handle.writeQueueSize;
    if (waiting === 0) return true;
    request.buffer = bytes;
    this.#request = undefined;
    this.waitingBytes = waiting;
    return false;
  }

  #newRequest(): WriteRequest {
    const request = new this.#Request();
    request.handle = this.#handle;
    request.buffer = undefined;
    request.oncomplete = (status) => {
      request.buffer = undefined;
      this.waitingBytes = 0;
      if (status !== 0) this.#fail(status);
      else this.#onDone();
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

function findWriteRequest(): (new () => WriteRequest) | undefined {
  try {
    const binding = (process as unknown as { binding?(name: string): { readonly WriteWrap?: unknown } })
      .binding;
    const found = binding?.('stream_wrap').WriteWrap;
    return typeof found === 'function' ? (found as new () => WriteRequest) : undefined;
  } catch {
    return undefined;
  }
}
