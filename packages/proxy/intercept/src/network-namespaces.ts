import { closeSync, fstatSync, openSync } from 'node:fs';
import type { TcpAddress } from '@tulle/model';
import {
  listenTcp,
  openTcp,
  openUdp,
  type KernelSocketOptions,
  type ListeningDescriptor,
  type ListenOptions,
} from './kernel-socket.ts';
import { loadSystemCalls, type Require, type SystemCalls } from './system-calls.ts';

/** Of Linux, linux/sched.h. */
const CLONE_NEWNET = 0x4000_0000;

/** Which network namespace is meant: a file (`/run/netns/NAME` of `ip netns`, `/proc/PID/ns/net`), or that of a process. */
export type NamespaceRef = { readonly path: string } | { readonly pid: number };

/** Network namespaces as one process works in several; it needs `CAP_SYS_ADMIN`, and `CAP_NET_ADMIN` for marks. */
export interface NetworkNamespaces {
  /** The one that the process runs in. */
  readonly own: NetworkNamespace;
  /** @throws Error naming the file or process where there is no such namespace */
  open(where: NamespaceRef): NetworkNamespace;
}

/**
 * A network namespace, held: it lives at least until {@link NetworkNamespace.close | close}, whatever becomes of who made it.
 * Sockets belong to the namespace that they were made in for life, whoever uses them.
 */
export interface NetworkNamespace {
  /** `net:[4026531840]`, as `readlink /proc/PID/ns/net` and `lsns` print it; equal for two that are the same. */
  readonly id: string;
  /**
   * Runs work inside, on this thread, and comes back before anything else runs: a child process that it starts (`spawn`,
   * `execFileSync`) belongs to the namespace. What Node puts off (`net.connect`, names to look up) happens outside; take
   * {@link NetworkNamespace.listen | listen} and {@link NetworkNamespace.socket | socket}.
   * @param work without a promise: what it awaits would run elsewhere
   * @throws what it throws; SystemCallError where the kernel lets nobody in; Error where a promise comes back
   */
  run<T>(work: () => T): T;
  /**
   * Makes a socket that listens inside, for `server.listen({ fd })`. Accepting on it needs no more entering, and
   * `SO_ORIGINAL_DST` is answered as ever.
   * @throws SystemCallError naming the address
   */
  listen(address: TcpAddress, options?: ListenOptions): ListeningDescriptor;
  /**
   * Makes a TCP socket inside that is not connected: `new net.Socket({ fd }).connect(port, host)` leaves
   * with an address of the namespace, and with the mark. Host must be an IP address of that family. Who takes the
   * descriptor closes it.
   * @throws SystemCallError
   */
  socket(family: 4 | 6, options?: KernelSocketOptions): number;
  /**
   * Makes a UDP socket inside, for `bind({ fd })` of node:dgram.
   * @param address where it is bound; absent: where the kernel likes, when it sends
   * @throws SystemCallError
   */
  datagramSocket(family: 4 | 6, options?: KernelSocketOptions, address?: TcpAddress): number;
  /** Lets go of it. Sockets that were made inside live on. */
  close(): void;
}

/**
 * Loads what enters network namespaces (`setns(2)`), through the package `koffi`.
 * @param require loads koffi; default: as Node finds it from here
 * @throws Error with a sentence where this is not Linux, or koffi is not installed or has nothing for this machine
 */
export function networkNamespaces(require?: Require): NetworkNamespaces {
  const calls = loadSystemCalls(require);
  const thread: Thread = { in: undefined };
  const own = new OpenNamespace(calls, open('/proc/thread-self/ns/net'), thread);
  thread.in = own;
  return {
    own,
    open(where) {
      const path = 'path' in where ? where.path : `/proc/${where.pid}/ns/net`;
      return new OpenNamespace(calls, open(path), thread);
    },
  };
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new Error(`there is no network namespace at ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Where this thread is. */
interface Thread {
  in: OpenNamespace | undefined;
}

class OpenNamespace implements NetworkNamespace {
  readonly id: string;
  readonly #calls: SystemCalls;
  readonly #fd: number;
  readonly #thread: Thread;
  #open = true;

  constructor(calls: SystemCalls, fd: number, thread: Thread) {
    this.#calls = calls;
    this.#fd = fd;
    this.#thread = thread;
    this.id = `net:[${fstatSync(fd).ino}]`;
  }

  run<T>(work: () => T): T {
    if (!this.#open) throw new Error(`the network namespace ${this.id} was closed`);
    const before = this.#thread.in as OpenNamespace;
    const result = before.id === this.id ? work() : this.#enter(before, work);
    if (typeof (result as { then?: unknown } | undefined)?.then === 'function')
      throw new Error(`what runs in the network namespace ${this.id} must not await anything`);
    return result;
  }

  #enter<T>(before: OpenNamespace, work: () => T): T {
    const { setns, failed } = this.#calls;
    if (setns(this.#fd, CLONE_NEWNET) !== 0)
      throw failed('setns', `cannot enter the network namespace ${this.id}`);
    this.#thread.in = this;
    try {
      return work();
    } finally {
      if (setns(before.#fd, CLONE_NEWNET) !== 0) {
        // Whatever this thread did from now on would happen in a network that is not its own.
        process.stderr.write(`${failed('setns', `cannot leave the network namespace ${this.id}`).message}\n`);
        process.abort();
      }
      this.#thread.in = before;
    }
  }

  listen(address: TcpAddress, options: ListenOptions = {}): ListeningDescriptor {
    return this.run(() => listenTcp(this.#calls, address, options));
  }

  socket(family: 4 | 6, options: KernelSocketOptions = {}): number {
    return this.run(() => openTcp(this.#calls, family, options));
  }

  datagramSocket(family: 4 | 6, options: KernelSocketOptions = {}, address?: TcpAddress): number {
    return this.run(() => openUdp(this.#calls, family, options, address));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }
}
