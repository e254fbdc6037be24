/** How long a process lives on whose successor has its sockets, in milliseconds. */
export interface Drain {
  /** Over this time connections are asked to close. */
  readonly windowMs: number;
  /** By then what is left is cut. */
  readonly deadlineMs: number;
}

/**
 * A window in which idle connections and requests under way go over one by one, and time for connections that last, as
 * WebSockets do (Envoy `drain_time_s` and `parent_shutdown_time_s` have 600 s and 900 s).
 */
export const DRAIN: Drain = Object.freeze({ windowMs: 5_000, deadlineMs: 600_000 });

/**
 * The time line of a restart, for who starts a proxy and for who restarts it.
 * @param supervised as `SidecarOptions.supervisor`: in one process the new engine has to wait for the old one
 */
export function describeRestart({ windowMs, deadlineMs }: Drain, supervised = true): string {
  if (!supervised)
    return `in one process no new connection is taken until those that are there have ended, or ${deadlineMs / 1000} s have passed`;
  return `at 0 s the new process takes every new connection; by ${windowMs / 1000} s connections are asked to go over; at ${deadlineMs / 1000} s what is left is cut`;
}
