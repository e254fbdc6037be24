import { DRAIN, type Drain } from '../drain.ts';
import { FlagError } from './flag-error.ts';
import type { FlagSpec } from './flag-specs.ts';

/** How long a process lives on whose successor takes the new connections. */
export const DRAIN_FLAGS: Readonly<
  Record<'drain-window-seconds' | 'drain-deadline-seconds', FlagSpec & { readonly type: 'number' }>
> = Object.freeze({
  'drain-window-seconds': {
    type: 'number',
    value: 'N',
    help: 'after a restart connections are asked over so long to go to the new process',
    defaultText: String(DRAIN.windowMs / 1000),
  },
  'drain-deadline-seconds': {
    type: 'number',
    value: 'N',
    help: 'after a restart connections that last live on in the old process for so long',
    defaultText: String(DRAIN.deadlineMs / 1000),
  },
});

/** A timer of Node's counts no further (2^31 - 1 ms, some 24 days): what is longer would be over at once. */
const MAX_DEADLINE_SECONDS = 2_147_483;

/** What {@link DRAIN_FLAGS} say. @throws FlagError */
export function drainOf(flags: Readonly<Record<keyof typeof DRAIN_FLAGS, number | undefined>>): Drain {
  const windowSeconds = flags['drain-window-seconds'] ?? DRAIN.windowMs / 1000;
  const deadlineSeconds = flags['drain-deadline-seconds'] ?? DRAIN.deadlineMs / 1000;
  if (windowSeconds > deadlineSeconds)
    throw new FlagError(
      `connections cannot be asked to close for ${windowSeconds} s (--drain-window-seconds) where all are cut after ${deadlineSeconds} s`,
      'a --drain-deadline-seconds that is no shorter',
    );
  if (deadlineSeconds > MAX_DEADLINE_SECONDS)
    throw new FlagError(
      `--drain-deadline-seconds cannot be ${deadlineSeconds}`,
      `at most ${MAX_DEADLINE_SECONDS}, which are 24 days`,
    );
  return { windowMs: windowSeconds * 1000, deadlineMs: deadlineSeconds * 1000 };
}
