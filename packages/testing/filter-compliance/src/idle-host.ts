import type { FilterHost } from '@tulle/filter';

const nothing = (): void => {};
/** A host in which nothing happens. */
export const IDLE_HOST: FilterHost = {
  draining: false,
  failsHealthChecks: false,
  clusterHealth: () => undefined,
  name: 'idle',
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  nowMs: () => 0,
  epochMs: () => 0,
  random: () => 0.5,
  after: () => nothing,
  counter: () => ({ add: nothing }),
  gauge: () => ({ set: nothing }),
  fetch: async () => Promise.reject(new Error('nobody can be called here')),
  exchange() {
    throw new Error('nobody can be called here');
  },
};
