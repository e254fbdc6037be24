import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';

const SERVER = "require('http').createServer((q,r)=>r.end('hello')).listen(process.argv[1],'127.0.0.1')";

describe('tulle wait', () => {
  const { start, tulle } = tulleBench();

  it('ends when the proxy takes calls, also where it was not there before', async () => {
    const waiting = start('wait', 'web', '--timeout', '30');
    const port = await freePort();
    const web = start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', SERVER, port);
    await web.said(/it takes calls from now on/);
    expect(await waiting.ended).toEqual({ code: 0, out: '', err: '' });
    expect((await tulle('wait', 'web.default', '--timeout', '0')).code).toBe(0);
  }, 60_000);

  it('is not content with a proxy whose program does not listen yet', async () => {
    start('run', '--name', 'web', '-p', await freePort(), '--', 'sleep', '1000');
    const asked = async (): Promise<string> => {
      const { code, err } = await tulle('wait', 'web', '--timeout', '0');
      expect(code).toBe(1);
      return err;
    };
    await expect
      .poll(asked, { timeout: 30_000 })
      .toMatch(/after 0 s: the program of web-\S+ does not accept connections yet/);
  }, 60_000);

  it('gives up after its time, and says what is missing', async () => {
    const { code, err } = await tulle('wait', 'web', '--timeout', '0');
    expect(code).toBe(1);
    expect(err).toContain('web does not take calls after 0 s: no such proxy runs on this machine');
    expect((await tulle('wait', 'web', '--timeout', '-1')).code).toBe(64);
  });
});
