import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamRecord } from '@tulle/testkit';
import { accessLog } from './access-log.ts';
import { createBatchWriter } from './batch-writer.ts';
import { createJsonLine } from './json-line.ts';
import { LineBuffer } from './line-buffer.ts';

const jsonLine = createJsonLine({ maxFieldChars: 4096, query: 'keep' });
const parsed = (change: Parameters<typeof streamRecord>[0]): Record<string, unknown> =>
  JSON.parse(jsonLine(streamRecord(change))) as Record<string, unknown>;

describe('a line', () => {
  it("has the keys of Istio's JSON log, null where unset, and Tulle's own after them", () => {
    const line = parsed({
      query: 'q=1',
      requestHeader: (name) => (name === 'user-agent' ? 'curl/8' : undefined),
      peerIdentity: 'spiffe://mesh.local/ns/default/sa/web',
      durationMs: 1.23456,
    });
    expect(Object.keys(line).slice(0, 24)).toEqual(
      (
        'start_time route_name method path protocol response_code response_flags response_code_details ' +
        'connection_termination_details bytes_received bytes_sent duration upstream_service_time x_forwarded_for user_agent request_id authority ' +
        'upstream_host upstream_cluster upstream_local_address downstream_local_address downstream_remote_address requested_server_name ' +
        'upstream_transport_failure_reason'
      ).split(' '),
    );
    expect(line).toMatchObject({
      start_time: '2023-11-14T22:13:20.000Z',
      method: 'GET',
      path: '/?q=1',
      protocol: 'HTTP/1.1',
      response_code: 200,
      response_flags: '-',
      duration: 1.235,
      user_agent: 'curl/8',
      x_forwarded_for: null,
      downstream_remote_address: '127.0.0.1:5000',
      downstream_peer_identity: 'spiffe://mesh.local/ns/default/sa/web',
      upstream_version: 'v2',
      attempts: 1,
    });
    // Of Tulle's own, what is unset is left out.
    for (const key of ['code', 'grpc_status', 'attempt_details', 'retry_refused'])
      expect(line).not.toHaveProperty(key);
  });

  it('lists every attempt of a request that took several, and says why the last one got nowhere', () => {
    const attempt = {
      cluster: 'c',
      address: '10.0.0.1:80',
      startMs: 0,
      durationMs: 3,
      reused: true,
      spanId: '',
    };
    const line = parsed({
      status: 503,
      code: 'TULLE_UPSTREAM_RESET',
      flags: ['UF', 'URX'],
      localAddress: '::1',
      localPort: 1,
      attempts: [
        { ...attempt, status: 503, grpcStatus: -1, failure: '' },
        { ...attempt, status: 0, grpcStatus: -1, failure: 'TULLE_UPSTREAM_CONNECT' },
      ],
    });
    expect(line).toMatchObject({
      response_flags: 'UF,URX',
      code: 'TULLE_UPSTREAM_RESET',
      attempts: 2,
      upstream_transport_failure_reason: 'TULLE_UPSTREAM_CONNECT',
      downstream_local_address: '[::1]:1',
      attempt_details: [
        { upstream_host: '10.0.0.1:80', response_code: 503, code: null },
        { code: 'TULLE_UPSTREAM_CONNECT', response_code: 0 },
      ],
    });
  });

  it('cannot be forged: whatever a caller sends stays one value of one line, without control characters', () => {
    const nasty = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('"}\n{"code":"FORGED"', '\r\n', '\\', '\u001b[2J', '\u009b2J', '\u2028', '\ud800'),
    );
    fc.assert(
      fc.property(nasty, nasty, nasty, (path, agent, authority) => {
        const text = jsonLine(streamRecord({ path: `/${path}`, authority, requestHeader: () => agent }));
        // oxlint-disable-next-line no-control-regex
        expect(text.slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        const line = JSON.parse(text) as Record<string, unknown>;
        expect([line['path'], line['user_agent'] ?? '', line['authority'] ?? '', line['code']]).toEqual([
          `/${path}`,
          agent,
          authority,
          undefined,
        ]);
      }),
    );
  });

  it('shows each record its own values, however alike the record before was', () => {
    const changes: Parameters<typeof streamRecord>[0][] = [
      {},
      { status: 404 },
      { status: 404, details: 'route_not_found', code: 'TULLE_ROUTE_NOT_FOUND', flags: ['NR'] },
      { method: 'POST' },
      { routeName: 'other' },
      { upstreamAddress: '10.0.0.9:1' },
      { localPort: 7000 },
      { serverName: 'a.example' },
      { peerIdentity: 'spiffe://a/ns/b/sa/c' },
      { upstreamLabels: { version: 'v3' } },
      { retryRefused: 'budget' },
      { attempts: [] },
      { direction: 'inbound' },
      {},
    ];
    for (const change of changes) {
      const record = streamRecord(change);
      expect(jsonLine(record)).toBe(createJsonLine({ maxFieldChars: 4096, query: 'keep' })(record));
    }
  });

  it('cuts long values, leaves queries out when told, and shows no HTTP fields for TCP', () => {
    const short = createJsonLine({ maxFieldChars: 5, query: 'strip' });
    expect(JSON.parse(short(streamRecord({ path: '/abcdefgh', query: 'token=1' })))).toMatchObject({
      path: '/abcd…',
    });
    expect(
      parsed({
        kind: 'tcp',
        protocol: 'TCP',
        method: '',
        path: '',
        code: 'TULLE_UPSTREAM_CONNECT',
        details: 'why',
      }),
    ).toMatchObject({ method: null, path: null, protocol: null, connection_termination_details: 'why' });
  });
});

describe('writing', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'access-log-'));
  });
  afterAll(async () => rm(dir, { recursive: true }));

  it('writes every line to the file, whole and in order, also across a rotation', async () => {
    const file = join(dir, 'a.log');
    const log = accessLog({ to: { file }, batchBytes: 2000 });
    for (let i = 0; i < 100; i++) log.sink.record(streamRecord({ requestId: String(i) }));
    await log.sink.flush();
    await rename(file, `${file}.1`);
    log.sink.record(streamRecord({ requestId: '100' }));
    const reopened = log.reopen();
    log.sink.record(streamRecord({ requestId: '101' }));
    await reopened;
    await log.sink.close();
    const ids = async (name: string): Promise<string[]> =>
      (await readFile(name, 'utf8'))
        .trimEnd()
        .split('\n')
        .map((l) => (JSON.parse(l) as { request_id: string }).request_id);
    expect(await ids(`${file}.1`)).toEqual(Array.from({ length: 101 }, (_, i) => String(i)));
    expect(await ids(file)).toEqual(['101']);
    expect(log.counts).toMatchObject({ lines: 102, dropped: 0, errors: 0 });
  });

  it('leaves nothing of a line whose record could not be rendered', async () => {
    const file = join(dir, 'torn.log');
    const log = accessLog({ to: { file } });
    const torn = streamRecord({
      requestHeader() {
        throw new Error('gone');
      },
    });
    log.sink.record(streamRecord({ requestId: 'before' }));
    expect(() => log.sink.record(torn)).toThrow('gone');
    log.sink.record(streamRecord({ requestId: 'after' }));
    await log.sink.close();
    const ids = (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { request_id: string }).request_id);
    expect(ids).toEqual(['before', 'after']);
  });

  it('writes to a descriptor it was given and leaves it open', async () => {
    const file = join(dir, 'fd.log');
    const fd = openSync(file, 'a');
    const log = accessLog({ to: { fd }, when: (r) => r.status >= 500 });
    log.sink.record(streamRecord());
    log.sink.record(streamRecord({ status: 500 }));
    await log.sink.close();
    closeSync(fd); // throws if it had been closed
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(2);
  });

  it('counts what a refusing target loses and goes on when it works again', async () => {
    const log = accessLog({ to: { file: join(dir, 'missing', 'a.log') } });
    log.sink.record(streamRecord());
    await log.sink.flush();
    expect(log.counts).toMatchObject({ lines: 1, dropped: 1, errors: 1 });
    expect(log.counts.lastError?.message).toContain('ENOENT');
    await log.sink.close();
  });

  it('holds no more than its bound behind a stuck target, and drops lines rather than memory', async () => {
    const taken: string[] = [];
    let release = (): void => {};
    const stuck = new Promise<void>((resolve) => (release = resolve));
    const out = new LineBuffer(4096, 64);
    const writer = createBatchWriter(
      {
        open: async () => {},
        write: async (bytes) => stuck.then(() => void taken.push(bytes.toString())),
        reopen: async () => {},
        close: async () => {},
      },
      out,
      { flushIntervalMs: 1000, batchBytes: 20, maxQueuedBytes: 50 },
    );
    const add = (line: string): void => {
      writer.begin();
      out.raw(Buffer.from(line));
      writer.commit();
    };
    for (let i = 0; i < 100; i++) add(`line ${i % 10} ..\n`); // ten bytes
    expect(writer.counts).toMatchObject({ lines: 5, dropped: 95 });
    release();
    await writer.flush();
    expect(taken.join('')).toBe('line 0 ..\nline 1 ..\nline 2 ..\nline 3 ..\nline 4 ..\n');
    add('fits again\n');
    await writer.close();
    expect(taken.at(-1)).toBe('fits again\n');
    add('too late\n');
    expect(writer.counts.dropped).toBe(96);
  });
});
