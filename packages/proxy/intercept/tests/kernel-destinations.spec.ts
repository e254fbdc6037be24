import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureNamespace, whyNoNamespace } from './network-namespace.ts';

const missing = whyNoNamespace();

describe('where connections were going', () => {
  let namespace: CaptureNamespace | undefined;
  beforeAll(() => {
    if (missing === undefined) namespace = new CaptureNamespace();
  });
  afterAll(() => namespace?.remove());

  it('is where a proxy sends them, of both families, and who came straight goes nowhere', ({ skip }) => {
    if (namespace === undefined) return skip(missing);
    const program = fileURLToPath(new URL('captured.ts', import.meta.url));
    expect(JSON.parse(namespace.run(process.execPath, [program]))).toEqual({
      first: '127.0.0.2 7777',
      second: '127.0.0.3 7778',
      sixth: 'fd00::2 7777',
      straight: '',
      straightSixth: '',
      connections: 0,
    });
  }, 30_000);
});
