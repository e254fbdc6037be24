import { beforeEach, describe, expect, it } from 'vitest';
import { createOutageLog, type OutageLog } from './outage-log.ts';

let now: number;
let lines: string[];
let outages: OutageLog;

beforeEach(() => {
  now = 0;
  lines = [];
  const say =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  outages = createOutageLog(log, () => now);
});

/** A try every four seconds. */
function lose(tries: number, reason = 'refused'): void {
  for (let i = 0; i < tries; i++) {
    outages.lost('a:1', reason, 4000.4);
    now += 4000;
  }
}

describe('an outage', () => {
  it('is told when it begins, once a minute, and when it is over', () => {
    outages.found('a:1');
    lose(31);
    outages.found('b:1');
    expect(lines).toEqual([
      'info Control plane answers {"target":"a:1"}',
      'warn No control plane; the configuration in use stays {"target":"a:1","reason":"refused","retryInMs":4000}',
      'warn Still no control plane; the configuration in use stays {"target":"a:1","reason":"refused","retryInMs":4000,"tries":16,"sinceMs":60000}',
      'warn Still no control plane; the configuration in use stays {"target":"a:1","reason":"refused","retryInMs":4000,"tries":31,"sinceMs":120000}',
      'info Control plane is back {"target":"b:1","tries":31,"afterMs":124000}',
    ]);
  });

  it('is told anew for each new reason, and not for those that come by turns', () => {
    for (let i = 0; i < 5; i++) for (const reason of ['refused', 'not allowed']) lose(1, reason);
    expect(lines.map((line) => /"reason":"([^"]+)"/.exec(line)?.[1])).toEqual(['refused', 'not allowed']);
    for (let i = 0; i < 20; i++) lose(1, `port ${i}`);
    expect(lines.length).toBeLessThan(12);
  });

  it('of a control plane that comes and goes is one', () => {
    for (let i = 0; i < 10; i++) {
      lose(1);
      outages.found('a:1');
    }
    expect(lines.map((line) => line.slice(0, 27))).toEqual([
      'warn No control plane; the ',
      'info Control plane is back ',
    ]);
  });

  it('long after the last is another', () => {
    lose(1);
    outages.found('a:1');
    now += 60_000;
    lose(1);
    expect(lines.filter((line) => line.includes('No control plane'))).toHaveLength(2);
  });
});
