import { DELIVER, RETRY } from '@tulle/filter';
import { filter } from './support.ts';

/** One retry, a second later. */
export const once: ReturnType<ReturnType<typeof filter>> = filter(
  'once',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 1) return DELIVER;
      attempt.retryDelayMs = 1_000;
      return RETRY;
    },
  },
  { scope: 'attempt' },
)({});
