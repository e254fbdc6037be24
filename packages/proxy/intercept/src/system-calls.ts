import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';

/** What `require` of Node does; given by tests that leave something out. */
export type Require = (name: string) => unknown;

/** A system call: what it returns, negative where it failed. */
type Call = (...args: readonly (number | Buffer | Uint32Array)[]) => number;

/** What is used of koffi. */
interface Koffi {
  load(library: null): { func(prototype: string): Call };
  /** `errno` of the last call. */
  errno(): number;
}

/** Calls of the kernel that Node does not offer, on file descriptors; see their pages in section 2 of the Linux manual. */
export interface SystemCalls {
  getsockopt(fd: number, level: number, option: number, value: Buffer, bytes: Uint32Array): number;
  setsockopt(fd: number, level: number, option: number, value: Buffer, bytes: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer, bytes: number): number;
  listen(fd: number, backlog: number): number;
  getsockname(fd: number, address: Buffer, bytes: Uint32Array): number;
  setns(fd: number, kind: number): number;
  close(fd: number): number;
  /** Why the last call failed: the error to throw. @param doing begins its message, e.g. `cannot listen on 10.0.0.1:80` */
  failed(call: string, doing: string): SystemCallError;
}

/** The kernel refused; `code` is its name for why, as `EPERM`. */
export class SystemCallError extends Error {
  readonly code: string;
  readonly syscall: string;

  constructor(call: string, code: string, doing: string) {
    super(`${doing}: ${call} failed with ${code}${HINTS[code] === undefined ? '' : `, ${HINTS[code]}`}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.syscall = call;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  EPERM: 'this needs root, or the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN',
  EADDRINUSE: 'another process has that address',
  EADDRNOTAVAIL: 'no interface there has that address',
  EAFNOSUPPORT: 'the kernel has no addresses of that family',
};

const PROTOTYPES = {
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint)',
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint)',
  listen: 'int listen(int, int)',
  getsockname: 'int getsockname(int, void *, void *)',
  setns: 'int setns(int, int)',
  close: 'int close(int)',
} as const;

/**
 * Loads them from the C library through the package `koffi`.
 * @param require default: as Node finds packages from here
 * @throws Error with a sentence where this is not Linux, or koffi is not installed or has nothing for this machine
 */
export function loadSystemCalls(require: Require = createRequire(import.meta.url)): SystemCalls {
  if (process.platform !== 'linux')
    throw new Error(`only Linux tells where connections were going, and this is ${process.platform}`);
  try {
    const koffi = require('koffi') as Koffi;
    const library = koffi.load(null);
    const calls = Object.fromEntries(
      Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.func(prototype)]),
    ) as unknown as Omit<SystemCalls, 'failed'>;
    return {
      ...calls,
      failed: (call, doing) => new SystemCallError(call, getSystemErrorName(-koffi.errno()), doing),
    };
  } catch (error) {
    const missing = (error as { code?: unknown }).code === 'MODULE_NOT_FOUND';
    const why = missing
      ? 'is not installed (npm install koffi)'
      : `cannot be used: ${(error as Error).message}`;
    throw new Error(`the package koffi, which asks the kernel where connections were going, ${why}`, {
      cause: error,
    });
  }
}
