import { describe, expect, it } from 'vitest';
import { testIo } from '../../tests/test-io.ts';
import { personLog } from './person-log.ts';

describe('a log for a person', () => {
  it('shows warnings and errors in a line, and the same again only after half a minute, with how often it was', () => {
    let now = 0;
    const io = testIo();
    const log = personLog(io, 'warn', () => now);
    log.info('Control plane answers', { target: 'a' });
    log.warn('No control plane', { target: '127.0.0.1:1', retryInMs: 98 });
    for (now = 1000; now < 30_000; now += 10_000) log.warn('No control plane', { target: '127.0.0.1:1' });
    log.error('an engine process crashed', { error: new Error('out of memory') });
    now = 30_000;
    log.warn('No control plane', { target: '127.0.0.1:2' });
    expect(io.written.err).toBe(
      'tulle: warning: No control plane (target 127.0.0.1:1, retryInMs 98)\n' +
        'tulle: error: an engine process crashed (error out of memory)\n' +
        'tulle: warning: No control plane (target 127.0.0.1:2, 3 times more meanwhile)\n',
    );
  });

  it('leaves warnings out where only errors are wanted', () => {
    const io = testIo();
    const log = personLog(io, 'error');
    log.warn('No control plane');
    log.error('an engine process crashed');
    expect(io.written.err).toBe('tulle: error: an engine process crashed\n');
  });
});
