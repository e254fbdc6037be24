import { describe, expect, it } from 'vitest';
import { noMeter } from './index.ts';

describe('noMeter', () => {
  it('takes everything that a meter does and reads nothing', () => {
    const counter = noMeter.counter('a_total', { help: 'a' });
    const gauge = noMeter.gauge('b', { help: 'b', labels: { x: 'y' } });
    const histogram = noMeter.histogram('c_seconds', { help: 'c', buckets: [1, 2] });
    counter.add();
    counter.add(5);
    gauge.set(1);
    gauge.add(-1);
    histogram.observe(0.5);
    let read = 0;
    const stop = noMeter.observed('d', { help: 'd' }, () => ++read);
    stop();
    stop();
    expect(read).toBe(0);
  });

  it('is one object without state, which nobody can change for the others', () => {
    expect(Object.isFrozen(noMeter)).toBe(true);
    const instrument = noMeter.counter('a_total', { help: 'a' });
    expect(Object.isFrozen(instrument)).toBe(true);
    expect(noMeter.counter('b_total', { help: 'b' })).toBe(instrument);
  });
});
