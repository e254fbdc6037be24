import { StatusCode } from './gen/envoy/type/v3/http_status_pb.js';
import { describe, expect, it } from 'vitest';
import type { Said } from '../tests/processor.ts';
import { on, open, set } from '../tests/setup.ts';

describe('an answer of the processor’s own', () => {
  const reply = (more: object = {}): Said => ({
    response: {
      case: 'immediateResponse' as const,
      value: {
        status: { code: StatusCode.TooManyRequests },
        body: Buffer.from('slow down'),
        headers: { setHeaders: [set('retry-after', '3')] },
        details: 'too many\nof them',
        ...more,
      },
    },
  });

  it('goes to the caller, and nothing is told any more', async () => {
    const { ask, proc, upstream, proxy } = await open({ answer: on('requestHeaders', reply()) });
    const response = await ask();
    expect([
      response?.status,
      response?.body,
      response?.header('retry-after'),
      response?.header('content-type'),
    ]).toEqual([429, 'slow down', '3', 'text/plain']);
    expect([proc.heard, upstream.requests.length]).toEqual([['requestHeaders'], 0]);
    expect(proxy.records.at(-1)).toMatchObject({ code: 'TULLE_LOCAL_REPLY', details: 'too_many_of_them' });
  });

  it('has what fields it says, whatever it may change of others, but for those of framing', async () => {
    const headers = { setHeaders: [set('x-envoy-why', 'quota'), set('content-length', '1')] };
    const { ask, value } = await open({
      answer: on('requestHeaders', reply({ headers })),
      config: { mutationRules: { disallowAll: true } },
    });
    const response = await ask();
    expect([response?.header('x-envoy-why'), response?.body]).toEqual(['quota', 'slow down']);
    expect(value('rejected_header_mutations_total')).toBe(1);
  });

  it('takes the place of a response whose head has not left', async () => {
    for (const part of ['responseHeaders', 'responseBody']) {
      const { ask } = await open({
        answer: on(part, reply()),
        config: { mode: { responseBody: 'buffered' } },
      });
      expect((await ask())?.status).toBe(429);
    }
  });

  it('breaks a response whose head has', async () => {
    const { ask, proxy } = await open({
      answer: on('responseBody', reply()),
      config: { mode: { responseBody: 'streamed' } },
    });
    expect(await ask()).toBeUndefined();
    expect(proxy.records.at(-1)).toMatchObject({ code: 'TULLE_EXT_PROC_ERROR', details: 'too_many_of_them' });
  });

  it('is no answer where it may not be one', async () => {
    const { ask, proc } = await open({
      answer: on('requestHeaders', reply()),
      config: { allowImmediateResponse: false },
    });
    expect((await ask())?.status).toBe(200);
    expect(proc.heard).toEqual(['requestHeaders']);
  });

  it('has a status of gRPC for callers that speak it', async () => {
    const { ask } = await open({ answer: on('requestHeaders', reply({ grpcStatus: { status: 8 } })) });
    const response = await ask({ method: 'POST', headers: { 'content-type': 'application/grpc' } });
    expect([response?.status, response?.header('grpc-status')]).toEqual([200, '8']);
    expect((await ask())?.header('grpc-status')).toBeUndefined();
  });
});

describe('a processor that', () => {
  it.each([
    ['does not answer in time', 'silence', 504, 'timeout'],
    ['fails', 'failure', 500, 'service'],
    ['answers something else', { response: { case: 'responseBody', value: {} } }, 500, 'spurious'],
    ['answers what is no message', Buffer.from([0xff, 0xff]), 500, 'invalid'],
  ] as const)('%s ends the stream, or is gone without', async (_what, said, status, reason) => {
    const { ask, proxy, upstream, value, proc } = await open({ answer: () => said });
    expect((await ask())?.status).toBe(status);
    expect(upstream.requests).toHaveLength(0);
    expect(proxy.records.at(-1)).toMatchObject({
      code: 'TULLE_EXT_PROC_ERROR',
      details: `ext_proc_error{${reason}}`,
    });
    expect(value('messages_total', { result: reason })).toBe(1);
    expect(proc.active).toBe(0);
    const tolerant = await open({
      answer: () => said,
      config: { failureMode: 'allow', mode: { requestBody: 'buffered' } },
    });
    expect((await tolerant.ask({ method: 'POST', body: 'abc' }))?.body).toBe('POST / abc');
    expect(tolerant.value('failure_mode_allowed_total')).toBe(1);
    expect(tolerant.proc.heard).toHaveLength(1);
  });

  it('fails, has the status that is said for that, but for taking too long', async () => {
    const config = { statusOnError: 503 };
    const status = async (said: 'failure' | 'silence') =>
      (await (await open({ answer: () => said, config })).ask())?.status;
    expect([await status('failure'), await status('silence')]).toEqual([503, 504]);
  });

  it('fails in the middle of a response breaks it, or is gone without', async () => {
    const setup = {
      answer: on('responseBody', 'failure'),
      config: { mode: { responseBody: 'streamed' } },
    } as const;
    const { ask, proxy } = await open(setup);
    expect(await ask()).toBeUndefined();
    expect(proxy.records.at(-1)).toMatchObject({ code: 'TULLE_EXT_PROC_ERROR' });
    const tolerant = await open({ ...setup, config: { ...setup.config, failureMode: 'allow' } });
    expect((await tolerant.ask())?.body).toBe('GET / ');
  });

  it('wants no more is told no more', async () => {
    const { ask, proc } = await open({ answer: () => 'over' });
    expect((await ask())?.status).toBe(200);
    expect(proc.heard).toEqual(['requestHeaders']);
  });

  it('asks for more time gets it once, within the bound', async () => {
    const longer = (nanos: number) => ({ overrideMessageTimeout: { seconds: 0n, nanos } });
    const waiting = async (
      maxMessageTimeoutMs: number,
      ...said: Exclude<Said, string | Buffer | readonly unknown[]>[]
    ): Promise<number | undefined> => {
      const { ask, clock } = await open({
        answer: () => said,
        config: { maxMessageTimeoutMs },
      });
      const before = clock.nowMs();
      await ask();
      return Math.round((clock.nowMs() - before) / 100) * 100;
    };
    expect(await waiting(0, longer(5e8))).toBe(200);
    expect(await waiting(1_000, longer(5e8))).toBe(500);
    expect(await waiting(400, longer(5e8))).toBe(200);
    expect(await waiting(1_000, longer(5e8), longer(9e8))).toBe(500);
  });
});

it('the call ends with its stream, also where the caller goes away', async () => {
  const { ask, proc, proxy, clock } = await open();
  await ask();
  await clock.advance(10);
  expect([proc.active, proc.closed]).toEqual([0, [0]]);
  proc.answer = () => 'silence';
  const connection = proxy.connect();
  connection.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await clock.advance(10);
  expect(proc.active).toBe(1);
  connection.close(true);
  await clock.advance(10);
  expect(proc.active).toBe(0);
  expect(proxy.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  expect(proxy.meter.value('tulle_filter_errors_total')).toBe(0);
});
