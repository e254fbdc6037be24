import { MAX_RETRY_ATTEMPTS, rulesOf, type AnyRoute } from '@tulle/resources';
import type { Condition } from '../condition.ts';

/** That rules ask for more attempts than are made; nothing where none does. */
export function retriesHonoured(route: AnyRoute): Condition[] {
  const beyond = [...rulesOf(route).entries()].filter(
    ([, { retry }]) => (retry?.attempts ?? 0) > MAX_RETRY_ATTEMPTS,
  );
  if (beyond.length === 0) return [];
  return [
    {
      type: 'tulle.dev/RetriesHonoured',
      status: 'False',
      reason: 'UnsupportedValue',
      message: `${MAX_RETRY_ATTEMPTS} further attempts are made at most: ${beyond.map(([i, { retry }]) => `rule ${i} asks for ${retry?.attempts}`).join(', ')}`,
    },
  ];
}
