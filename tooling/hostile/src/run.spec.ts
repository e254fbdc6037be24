import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecordingOrigin } from './recording-origin.ts';
import { renderTable, summary } from './report.ts';
import { run } from './run.ts';
import { nodeHttp, tulle, type Subject } from './subjects.ts';

const quick = { seed: 7, rounds: 2 };

describe('hostile HTTP/1.1', () => {
  let origin: RecordingOrigin;
  let port = 0;
  const subjects: Subject[] = [];
  beforeAll(async () => {
    origin = new RecordingOrigin();
    port = await origin.start();
  });
  afterAll(async () => {
    for (const subject of subjects) await subject.stop();
    await origin.stop();
  });

  it('is refused by Tulle, and what is only odd passes', async () => {
    const subject = await tulle(port);
    subjects.push(subject);
    for (const filter of ['length and coding', 'pipelined', 'answers twice', 'interim']) {
      const results = await run(origin, subject, { ...quick, filter });
      expect(results.flatMap(({ faults }) => faults)).toEqual([]);
      expect(summary(results)['sends']).toBe(results.length * 2);
    }
  });

  it('is seen by the judges when a proxy lets it through', async () => {
    const subject = await nodeHttp(port);
    subjects.push(subject);
    const results = await run(origin, subject, { ...quick, rounds: 1, filter: 'repeated Content-Length' });
    expect(results.flatMap(({ faults }) => faults.map(({ finding }) => finding))).toContain('invalid');
    expect(renderTable(results)).toMatch(/hostile requests: repeated Content-Length/);
  });
});
