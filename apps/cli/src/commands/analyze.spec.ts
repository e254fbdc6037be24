import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testIo, type TestIo } from '../../tests/test-io.ts';
import { main } from '../main.ts';

const FAULTS = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: unknown-field }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules:
    - backendRef: [{ name: web, port: 80 }]
---
apiVersion: v1
kind: Service
metadata: { name: wrong-type }
spec: { selector: { app: web }, ports: [{ port: eighty }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: dangling }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules:
    - backendRefs: [{ name: nowhere, port: 80 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: weights }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules:
    - backendRefs: [{ name: web, port: 80, weight: 2000000 }]
---
kind: [broken
`;

describe('tulle analyze', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'an-'));
    await mkdir(join(dir, 'mesh', 'sub'), { recursive: true });
    await writeFile(join(dir, 'faults.yaml'), FAULTS);
    await writeFile(join(dir, 'mesh', 'a.yaml'), FAULTS.split('---')[0] as string);
    await writeFile(join(dir, 'mesh', 'sub', 'route.yml'), FAULTS.split('---')[3] as string);
    await writeFile(join(dir, 'mesh', 'notes.txt'), 'no resource');
  });
  afterAll(async () => rm(dir, { recursive: true }));
  const analyze = async (...args: string[]): Promise<{ code: number; io: TestIo }> => {
    const io = testIo(dir, FAULTS);
    return { code: await main(['analyze', ...args], io), io };
  };

  it('tells five faults of one file with their places and guesses, and ends with 65', async () => {
    const { code, io } = await analyze('-f', 'faults.yaml');
    expect(code).toBe(65);
    const lines = io.written.out.trimEnd().split('\n');
    for (const expected of [
      /^faults\.yaml:12:7 .*TULLE0201.*did you mean "backendRefs"/,
      /^faults\.yaml:17:\d+ .*TULLE0202/,
      /^faults\.yaml:25:\d+ .*TULLE0302/,
      /^faults\.yaml:33:\d+ .*TULLE0204/,
      /^faults\.yaml:3\d:\d+ .*TULLE0101/,
    ]) {
      expect(
        lines.some((line) => expected.test(line)),
        `${String(expected)} in\n${io.written.out}`,
      ).toBe(true);
    }
  });

  it('ends with the same code in every format, and prints one document', async () => {
    for (const format of ['table', 'wide', 'json', 'yaml', 'jsonl', 'name'])
      expect((await analyze('-f', 'faults.yaml', '-o', format)).code).toBe(65);
    const { io } = await analyze('-f', '-', '-o', 'json');
    expect(JSON.parse(io.written.out)).toMatchObject({
      ok: false,
      exitCode: 65,
      diagnostics: expect.arrayContaining([
        expect.objectContaining({ position: expect.objectContaining({ file: '-' }) as unknown }),
      ]) as unknown,
    });
  });

  it('reads directories, and ends with 79 when all is valid and something dangles', async () => {
    const { code, io } = await analyze('-f', 'mesh');
    expect(code).toBe(79);
    expect(io.written.out).toMatch(/^mesh\/sub\/route\.yml:\d+:\d+ Error \[TULLE0302\]/);
    expect((await analyze('-f', 'mesh/a.yaml')).code).toBe(0);
  });

  it('says which file cannot be read, and what is missing', async () => {
    expect((await analyze('-f', 'none.yaml')).io.written.err).toContain(
      'cannot read none.yaml: no such file or directory',
    );
    expect((await analyze()).code).toBe(64);
  });
});
