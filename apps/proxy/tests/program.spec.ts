import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { configText } from './corpus.ts';

const directory = mkdtempSync(join(tmpdir(), 'tpp-'));
const MAIN = join(import.meta.dirname, '../src/main.ts');
/** Programs that a test which failed left running. */
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGTERM');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  /** Resolves when standard error has it. */
  said(pattern: RegExp): Promise<string>;
}

function run(...argv: string[]): Program {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: { ...process.env, TULLE_RUN_DIR: join(directory, 'r') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let [out, err] = ['', ''];
  const ended = Promise.withResolvers<{ code: number | null; out: string; err: string }>();
  const waiting: { readonly pattern: RegExp; resolve(text: string): void }[] = [];
  const look = (): void => {
    for (const { pattern, resolve } of waiting) if (pattern.test(err)) resolve(err);
  };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => void (out += piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    err += piece;
    look();
  });
  child.on('close', (code) => ended.resolve({ code, out, err }));
  return {
    child,
    ended: ended.promise,
    said: async (pattern) =>
      Promise.race([
        new Promise<string>((resolve) => {
          waiting.push({ pattern, resolve });
          look();
        }),
        ended.promise.then(() => {
          if (pattern.test(err)) return err;
          throw new Error(`it ended and said:\n${err}`);
        }),
      ]),
  };
}

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

const simple = (): string =>
  configText('direct-response', directory)
    .replaceAll(/port_value: \d+/g, 'port_value: 0')
    .replace('0.0.0.0', '127.0.0.1');

describe('the program', () => {
  it('says its version in the five parts of Envoy’s, and asks for no configuration', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
      readonly version: string;
    };
    const { code, out } = await run('--version').ended;
    expect(code).toBe(0);
    expect(out).toMatch(/^tulle proxy {2}version: [^/\n]+\/[^/\n]+\/Clean\/RELEASE\/[^/\n]+\n$/);
    expect(out).toContain(`/${version}/`);
  });

  it('validates: 0, 65 with every reason, 79 where fields are read over since somebody says so', async () => {
    const good = write('good.yaml', simple());
    const bad = write('bad.yaml', `${simple()}stats_sinks: [ { name: x } ]\nheader_prefix: x-own\n`);
    const unknown = write('unknown.yaml', `${simple()}future: 1\n`);
    const [valid, invalid, refused, tolerated, usage] = await Promise.all([
      run('-c', good, '--mode', 'validate', '--disable-hot-restart').ended,
      run('-c', bad, '--mode', 'validate').ended,
      run('-c', unknown, '--mode', 'validate').ended,
      run('-c', unknown, '--mode', 'validate', '--allow-unknown-static-fields').ended,
      run('--mode', 'validate').ended,
    ]);
    expect(valid).toMatchObject({ code: 0, out: `configuration '${good}' OK\n` });
    expect(valid.err).toMatch(/^note: --disable-hot-restart is taken/);
    expect(invalid.code).toBe(65);
    expect(invalid.err.split('\n').filter((line) => line.startsWith('error: '))).toEqual([
      expect.stringMatching(/bad\.yaml:\d+:1: stats_sinks: no sink is supported/),
      expect.stringMatching(/bad\.yaml:\d+:1: header_prefix: must be x-envoy/),
    ]);
    expect(refused).toMatchObject({
      code: 65,
      err: expect.stringContaining(
        'future: envoy.config.bootstrap.v3.Bootstrap has no field "future"',
      ) as string,
    });
    expect(tolerated).toMatchObject({
      code: 79,
      err: expect.stringContaining('finding: left out: ') as string,
    });
    expect(usage).toMatchObject({
      code: 64,
      err: expect.stringContaining('no bootstrap is given') as string,
    });
  }, 60_000);

  it('opens files of access logs anew at POST /reopen_logs and at SIGUSR1, in every process', async () => {
    const logFile = join(directory, 'access.log');
    const file = write(
      'logs.yaml',
      simple().replace(
        'stat_prefix: ingress_http',
        `stat_prefix: ingress_http
            access_log:
            - name: file
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                path: ${logFile}
                log_format: { text_format_source: { inline_string: "%REQ(:PATH)%\\n" } }`,
      ),
    );
    const address = join(directory, 'logs-admin');
    const program = run('-c', file, '--concurrency', '2', '--admin-address-path', address);
    const [, port = ''] =
      /listens on 127\.0\.0\.1:(\d+);/.exec(await program.said(/listens on \S+; admin/)) ?? [];
    /** Over connections of their own, so that both processes get some. */
    const ask = async (path: string): Promise<void> => {
      for (let i = 0; i < 8; i++)
        await (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text();
    };
    const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n').filter(Boolean);
    const written = async (count: number): Promise<void> =>
      vi.waitFor(() => expect(lines(logFile)).toHaveLength(count), { timeout: 10_000, interval: 20 });
    await ask('/healthz');
    await written(8);
    renameSync(logFile, `${logFile}.1`);
    const reply = await fetch(`http://${readFileSync(address, 'utf8')}/reopen_logs`, { method: 'POST' });
    expect([reply.status, await reply.text()]).toEqual([200, 'OK\n']);
    await ask('/teapot');
    await written(8);
    renameSync(logFile, `${logFile}.2`);
    program.child.kill('SIGUSR1');
    await program.said(/the files of logs were opened anew/);
    await ask('/other');
    await written(8);
    expect(['.1', '.2', ''].map((end) => [...new Set(lines(logFile + end))])).toEqual([
      ['/healthz'],
      ['/teapot'],
      ['/other'],
    ]);
    program.child.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0 });
  }, 60_000);

  it('fails health checks by hand in every process, and in those that come later, until they are to pass again', async () => {
    const file = write(
      'health.yaml',
      simple().replace(
        'http_filters:',
        `http_filters:
            - name: health
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck
                pass_through_mode: false
                headers: [ { name: ":path", string_match: { exact: /well } } ]`,
      ),
    );
    const address = join(directory, 'health-admin');
    const program = run('-c', file, '--concurrency', '2', '--admin-address-path', address);
    const [, port = ''] =
      /listens on 127\.0\.0\.1:(\d+);/.exec(await program.said(/listens on \S+; admin/)) ?? [];
    /** Over connections of their own, so that both processes get some. */
    const statuses = async (path: string): Promise<number[]> => {
      const seen = new Set<number>();
      for (let i = 0; i < 8; i++) {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
        await answer.arrayBuffer();
        seen.add(answer.status);
      }
      return [...seen];
    };
    const tell = async (what: string): Promise<string> =>
      (await fetch(`http://${readFileSync(address, 'utf8')}/healthcheck/${what}`, { method: 'POST' })).text();
    expect(await statuses('/well')).toEqual([200]);
    expect(await tell('fail')).toBe('OK\n');
    expect([await statuses('/well'), await statuses('/healthz')]).toEqual([[503], [200]]);
    program.child.kill('SIGUSR2');
    await program.said(/the engine processes were replaced/);
    expect(await statuses('/well')).toEqual([503]);
    expect(await tell('ok')).toBe('OK\n');
    expect(await statuses('/well')).toEqual([200]);
    program.child.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0 });
  }, 60_000);

  it('serves, reads its bootstrap again at SIGHUP, replaces its engine at SIGUSR2, drains at SIGTERM and ends with 0', async () => {
    const file = write('serve.yaml', simple());
    const address = join(directory, 'admin-address');
    const log = join(directory, 'proxy.log');
    const program = run('-c', file, '--concurrency', '1', '--admin-address-path', address, '--log-path', log);
    const said = await program.said(/listens on \S+; admin/);
    const [, port = ''] = /listens on 127\.0\.0\.1:(\d+);/.exec(said) ?? [];
    const ask = async (path: string): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text();
    expect(await ask('/healthz')).toBe('ok');
    expect(await (await fetch(`http://${readFileSync(address, 'utf8')}/ready`)).text()).toBe('LIVE\n');

    writeFileSync(file, simple().replace('inline_string: "ok"', 'inline_string: "still ok"'));
    program.child.kill('SIGHUP');
    await program.said(/was read again and is in use/);
    expect(await ask('/healthz')).toBe('still ok');
    writeFileSync(file, simple().replace('prefix: "/teapot"', 'prefixes: "/teapot"'));
    program.child.kill('SIGHUP');
    await program.said(/error: nothing changed: .*has no field "prefixes"; did you mean prefix\?/);
    expect(await ask('/healthz')).toBe('still ok');

    program.child.kill('SIGUSR2');
    await program.said(/the engine processes were replaced/);
    expect(await ask('/healthz')).toBe('still ok');
    program.child.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0 });
  }, 60_000);
});
