import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecordingOrigin } from '../recording-origin.ts';
import { tulle, tulleOverTls, type Subject } from '../subjects.ts';
import { Http2Origin } from './http2-origin.ts';
import { runHttp2, runHttp2Responses, runHttp2ToHttp2 } from './run-http2.ts';
import { ScriptedOrigin } from './scripted-origin.ts';
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

  it('is refused by Tulle, and what is only odd passes, to origins of both versions', async () => {
    const toHttp1 = await tulle(port);
    const http2Origin = new Http2Origin();
    const toHttp2 = await tulle(await http2Origin.start(), 'http2');
    subjects.push(toHttp1, toHttp2);
    for (const filter of ['frame sizes', 'content-length', ':authority', 'odd']) {
      const results = [
        ...(await runHttp2(origin, toHttp1, { seed: 7, rounds: 2, filter })),
        ...(await runHttp2ToHttp2(http2Origin, toHttp2, { seed: 7, rounds: 2, filter })),
      ];
      expect(
        results.flatMap(({ id, shown, faults }) => faults.map((fault) => ({ id, shown, ...fault }))),
      ).toEqual([]);
      expect(results.length).toBeGreaterThan(30);
    }
    await http2Origin.stop();
  });

  it('is refused over TLS as well, whose records end wherever the client likes', async () => {
    const tlsOrigin = new RecordingOrigin();
    const subject = await tulleOverTls(await tlsOrigin.start());
    subjects.push(subject);
    const results = await runHttp2(tlsOrigin, subject, { seed: 7, rounds: 1, filter: '' });
    expect(
      results.flatMap(({ id, shown, faults }) => faults.map((fault) => ({ id, shown, ...fault }))),
    ).toEqual([]);
    expect(results.length).toBeGreaterThan(300);
    await tlsOrigin.stop();
  });

  it('is turned into one answer or 502 when it comes from an origin', async () => {
    const scripted = new ScriptedOrigin();
    const subject = await tulle(await scripted.start(), 'http2');
    subjects.push(subject);
    const results = await runHttp2Responses(scripted, subject, { seed: 7, rounds: 2, filter: '' });
    expect(
      results.flatMap(({ id, shown, faults }) => faults.map((fault) => ({ id, shown, ...fault }))),
    ).toEqual([]);
    expect(results.length).toBeGreaterThan(100);
    await scripted.stop();
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
