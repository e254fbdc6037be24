import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccessLog, HttpHandler, ProxyConfig } from '@tulle/model';
import { streamRecord, testProxy } from '@tulle/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sink, TelemetryHost } from '@tulle/telemetry';
import { accessLoggers, type AccessLoggersPlugin } from './access-loggers.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'access-loggers-'));
});
afterAll(async () => rm(dir, { recursive: true }));

const host: TelemetryHost = {
  fetch: async () => Promise.reject(new Error('nobody is asked')),
  after: () => () => {},
  log: { warn: () => {} },
};
const open = async ({ accessLoggers: { open: make } }: AccessLoggersPlugin, log: AccessLog): Promise<Sink> =>
  make(log, host);

const lines = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8')).split('\n').slice(0, -1);
const log = (path: string, text = '%REQ(X-REQUEST-ID)%'): AccessLog => ({
  to: { kind: 'file', path },
  format: { text },
});

describe('access loggers', () => {
  it('append lines of others than requests, to files that logs may name as well', async () => {
    const plugin = accessLoggers();
    const file = join(dir, 'events.log');
    const events = await plugin.accessLoggers.openFile(file);
    const sink = await open(plugin, log(file));
    events.write('{"cluster":"ä"}');
    sink.record(streamRecord());
    events.write('{"cluster":"b"}');
    await events.close();
    await sink.close?.();
    expect(await lines(file)).toEqual(['{"cluster":"ä"}', expect.any(String), '{"cluster":"b"}']);
    await expect(plugin.accessLoggers.openFile(join(dir, 'none', 'x.log'))).rejects.toThrow(
      'cannot be appended to',
    );
  });

  it('write what a configuration asks for, from a request to a line', async () => {
    const file = join(dir, 'proxy.log');
    const handler: HttpHandler = {
      kind: 'http',
      routes: {
        name: 'r',
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                name: 'teapot',
                match: { path: { kind: 'prefix', value: '/' } },
                action: { kind: 'direct', status: 418, body: 'short' },
              },
            ],
          },
        ],
      },
      filters: [],
      accessLogs: [
        {
          filter: { kind: 'status', op: 'ge', value: 400 },
          to: { kind: 'file', path: file },
          format: {
            json: { code: '%RESPONSE_CODE%', path: '%REQ(:PATH)%', agent: '%REQ(USER-AGENT)%' },
            omitEmpty: true,
          },
        },
        { to: { kind: 'file', path: file }, format: { text: '%REQ(:METHOD)% %ROUTE_NAME% %SPAN_ID%\n' } },
      ],
    };
    const config: ProxyConfig = {
      version: '1',
      listeners: [
        {
          name: 'http',
          address: { host: '127.0.0.1', port: 8080 },
          filterChains: [{ name: 'http', handler }],
        },
      ],
      routes: [],
      clusters: [],
      endpoints: [],
    };
    const test = await testProxy({ config, telemetry: [accessLoggers()] });
    await test.client().request({ path: '/tea' });
    await test.stop();
    expect(await lines(file)).toEqual(['{"code":418,"path":"/tea"}', 'GET teapot -']);
  });

  it('share a file, in order and over a rotation, and close it with its last user', async () => {
    const file = join(dir, 'shared.log');
    const plugin = accessLoggers();
    const first = await open(plugin, log(file));
    const second = await open(plugin, log(file, 'second %REQ(X-REQUEST-ID)%'));
    for (let i = 0; i < 4; i++) (i % 2 === 0 ? first : second).record(streamRecord({ requestId: String(i) }));
    await first.close?.();
    await first.close?.(); // closed twice is closed once
    second.record(streamRecord({ requestId: '4' }));
    await plugin.accessLoggers.flush();
    await rename(file, `${file}.1`);
    const reopened = plugin.reopen();
    second.record(streamRecord({ requestId: '5' }));
    await reopened;
    expect(plugin.counts.get(file)).toMatchObject({ lines: 6, dropped: 0 });
    await second.close?.();
    expect(await lines(`${file}.1`)).toEqual(['0', 'second 1', '2', 'second 3', 'second 4']);
    expect(await lines(file)).toEqual(['second 5']);
    expect(plugin.counts.size).toBe(0);
  });

  it('refuse a file that cannot be appended to, and a format, by where it stands', async () => {
    const plugin = accessLoggers();
    await expect(open(plugin, log(join(dir, 'none', 'a.log')))).rejects.toMatchObject({
      issues: [{ path: '/to/path', message: expect.stringContaining('ENOENT') as string }],
    });
    await expect(open(plugin, log(join(dir, 'b.log'), '%NOPE%'))).rejects.toMatchObject({
      issues: [{ path: '/format/text', message: expect.stringContaining('%NOPE%') as string }],
    });
    await expect(
      open(plugin, {
        to: { kind: 'file', path: join(dir, 'b.log') },
        format: { json: { a: { b: '%NOPE%' } } },
      }),
    ).rejects.toMatchObject({ issues: [{ path: '/format/json/a/b' }] });
    expect(plugin.counts.size).toBe(0);
  });

  it('take /dev/stdout and /dev/stderr for the streams', async () => {
    const plugin = accessLoggers();
    await open(plugin, log('/dev/stdout'));
    await open(plugin, { to: { kind: 'stdout' }, format: { text: 'x' } });
    await open(plugin, log('/dev/stderr'));
    expect([...plugin.counts.keys()]).toEqual(['stdout', 'stderr']);
    await plugin.accessLoggers.close();
  });
});
