/** Short, so that what must be cut is cut while one waits. A head, from its first octet. */
export const HEAD_TIMEOUT_MS = 1000;
/** A request with its answer, on the routes under attack. */
export const REQUEST_TIMEOUT_MS = 2000;
/** A stream on which nothing moves. */
export const STREAM_IDLE_TIMEOUT_MS = 1500;
/** Beyond a timeout: the coarse ticks of the wheel, and two busy cores. */
export const CUT_AFTER_MS = 2000;

/** What the main process tells the proxy's. */
export interface ProxyPorts {
  readonly originPort: number;
  readonly evilPort: number;
  /** Where nobody listens. */
  readonly refusingPort: number;
}

export type ProxyReply =
  | { readonly port: number }
  | { readonly rssBytes: number; readonly heapBytes: number; readonly cpuMs: number };
