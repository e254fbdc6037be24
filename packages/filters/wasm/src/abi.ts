/** Numbers of Proxy-Wasm 0.2.1 (proxy-wasm/spec, `abi-versions/v0.2.1`), as the SDKs use them. */

export const STATUS = {
  ok: 0,
  notFound: 1,
  badArgument: 2,
  parseFailure: 4,
  invalidMemoryAccess: 6,
  empty: 7,
  casMismatch: 8,
  internalFailure: 10,
  unimplemented: 12,
} as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

export const BUFFER = {
  requestBody: 0,
  responseBody: 1,
  callBody: 4,
  grpcMessage: 5,
  vmConfiguration: 6,
  pluginConfiguration: 7,
} as const;

export const MAP = {
  requestHeaders: 0,
  requestTrailers: 1,
  responseHeaders: 2,
  responseTrailers: 3,
  callHeaders: 6,
  callTrailers: 7,
} as const;

export const STREAM = { request: 0, response: 1 } as const;

export const METRIC = { counter: 0, gauge: 1, histogram: 2 } as const;

/** By the guest's number. */
export const LOG_LEVELS = ['debug', 'debug', 'info', 'warn', 'error', 'error'] as const;
/** `info`: what a guest asks when it wants to know whether a line is worth making. */
export const LOG_LEVEL_INFO = 2;

/** What a callback says: 0 goes on; SDKs have several words for waiting. */
export const ACTION_CONTINUE = 0;

/** WASI preview 1. */
export const ERRNO = { success: 0, badFile: 8, notSupported: 58 } as const;
