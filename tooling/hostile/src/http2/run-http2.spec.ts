import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecordingOrigin } from '../recording-origin.ts';
import type { Subject } from '../subjects.ts';
import { runHttp2 } from './run-http2.ts';
import { nodeHttp2 } from './subjects.ts';

describe('hostile HTTP/2', () => {
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

  it('is seen by the judges when a proxy lets it through', async () => {
    const subject = await nodeHttp2(port);
    subjects.push(subject);
    const found = async (filter: string): Promise<Set<string>> => {
      const results = await runHttp2(origin, subject, { seed: 7, rounds: 1, filter });
      return new Set(results.flatMap(({ faults }) => faults.map(({ finding }) => finding)));
    };
    expect(await found(':path')).toContain('invalid');
    expect(await found('stream states')).toContain('extra');
  });
});
