import type { Subject } from './subject.ts';

/** The origin without a proxy before it: what the proxies' latency is compared with where load is paced. */
export function direct(): Subject {
  return {
    name: 'direct',
    variant: 'plain',
    on: 'no proxy',
    between: 'http1',
    direct: true,
    unfit: ({ load }) =>
      load.kind === 'http1' && load.ratePerSecond !== undefined ? undefined : 'only where load is paced',
    missing: () => undefined,
    start: () => ({ pids: () => [] }),
  };
}
