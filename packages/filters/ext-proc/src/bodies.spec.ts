import type { ExtProcFilterConfig } from '@tulle/model';
import type { ExtProcMode } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { pass, type Processor } from '../tests/processor.ts';
import { CommonResponse_ResponseStatus as ResponseStatus } from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';
import { ProcessingMode_BodySendMode as Body } from './gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode_pb.js';

import { answered, on, open, set } from '../tests/setup.ts';

describe('bodies', () => {
  const shout: Processor['answer'] = (request) => {
    const { case: part, value } = request.request;
    if (part !== 'requestBody' && part !== 'responseBody') return pass(request);
    const body = Buffer.from(Buffer.from(value.body).toString().toUpperCase());
    return answered(part, { bodyMutation: { mutation: { case: 'body', value: body } } });
  };

  it('are told piece by piece, and each becomes what the answer says', async () => {
    const { ask, proc, upstream } = await open({
      answer: shout,
      config: { mode: { requestBody: 'streamed', responseBody: 'streamed' } },
    });
    const response = await ask({
      method: 'POST',
      headers: { 'x-a': 'b' },
      chunks: ['one', 'two'],
    });
    expect(upstream.requests[0]?.body).toBe('ONETWO');
    expect(response?.body).toBe('POST / ONETWO A=B');
    expect(proc.heard.join('|')).toMatch(
      /^requestHeaders\|requestBody one\|requestBody two\|requestBody \.\|responseHeaders\|responseBody .*\|responseBody \.$/,
    );
  });

  it('are told whole, and fields of the head may change with them', async () => {
    const { ask, proc, upstream } = await open({
      config: { mode: { requestBody: 'buffered', responseBody: 'buffered' } },
      answer: (request) => {
        const { case: part } = request.request;
        if (part !== 'requestBody' && part !== 'responseBody') return pass(request);
        return answered(part, {
          headerMutation: { setHeaders: [set('x-a', 'seen')] },
          bodyMutation: { mutation: { case: 'body', value: Buffer.from('longer than it was') } },
        });
      },
    });
    const response = await ask({ method: 'POST', chunks: ['one', 'two'] });
    expect([
      upstream.requests[0]?.body,
      upstream.requests[0]?.header('content-length'),
      upstream.requests[0]?.header('x-a'),
    ]).toEqual(['longer than it was', '18', 'seen']);
    expect([response?.body, response?.header('content-length'), response?.header('x-a')]).toEqual([
      'longer than it was',
      '18',
      'seen',
    ]);
    expect(proc.heard).toEqual([
      'requestHeaders',
      'requestBody onetwo.',
      'responseHeaders',
      'responseBody POST / longer than it was a=seen.',
    ]);
  });

  it('come too late for another route: who asks for it with them fails, unless it is never heeded', async () => {
    const answer = on(
      'requestBody',
      answered('requestBody', { headerMutation: { setHeaders: [set('x-a', 'b')] }, clearRouteCache: true }),
    );
    const mode = { requestBody: 'buffered' } as const;
    const failing = await open({ answer, config: { mode } });
    expect((await failing.ask({ method: 'POST', body: 'one' }))?.status).toBe(500);
    expect(failing.proxy.records.at(-1)?.details).toBe('ext_proc_error{invalid}');
    expect(failing.upstream.requests).toEqual([]);
    const passing = async (config: Partial<ExtProcFilterConfig>): Promise<unknown[]> => {
      const { ask, upstream } = await open({ answer, config: { mode, ...config } });
      await ask({ method: 'POST', body: 'one' });
      return upstream.requests.map((request) => [request.body, request.header('x-a')]);
    };
    expect(await passing({ rematch: 'never' })).toEqual([['one', 'b']]);
    expect(await passing({ failureMode: 'allow' })).toEqual([['one', undefined]]);
  });

  it('are emptied, or pass as they are', async () => {
    const { ask, upstream } = await open({
      config: { mode: { requestBody: 'buffered', responseBody: 'buffered' } },
      answer: on(
        'requestBody',
        answered('requestBody', { bodyMutation: { mutation: { case: 'clearBody', value: true } } }),
      ),
    });
    const response = await ask({ method: 'POST', body: 'secret' });
    expect(upstream.requests[0]?.body).toBe('');
    expect(response?.body).toBe('POST / ');
  });

  it('are refused past the bound where they are to be told whole', async () => {
    const config = { mode: { requestBody: 'buffered' }, maxBodyBytes: 4 } as const;
    const { ask, proc, upstream } = await open({ config });
    expect((await ask({ method: 'POST', body: '12345' }))?.status).toBe(413);
    expect([proc.heard, upstream.requests.length]).toEqual([['requestHeaders'], 0]);
    const other = await open({ config: { mode: { responseBody: 'buffered' }, maxBodyBytes: 4 } });
    expect((await other.ask())?.status).toBe(502);
  });

  it('are told as far as the bound goes where that is enough, and the rest passes', async () => {
    const { ask, proc, upstream } = await open({
      answer: shout,
      config: {
        mode: { requestBody: 'buffered-partial', responseBody: 'buffered-partial' },
        maxBodyBytes: 4,
      },
    });
    const response = await ask({ method: 'POST', body: 'abcdefgh' });
    expect(upstream.requests[0]?.body).toBe('ABCDefgh');
    expect(response?.body).toBe('POST / ABCDefgh');
    expect(proc.heard).toEqual([
      'requestHeaders',
      'requestBody abcd',
      'responseHeaders',
      'responseBody POST',
    ]);
  });

  it('are replaced with the head, and nothing more is told of them', async () => {
    const replaced = (part: 'requestHeaders' | 'responseHeaders') =>
      answered(part, {
        status: ResponseStatus.CONTINUE_AND_REPLACE,
        bodyMutation: { mutation: { case: 'body', value: Buffer.from('new') } },
      });
    const { ask, proc, upstream } = await open({
      config: { mode: { requestBody: 'buffered', responseBody: 'streamed' } },
      answer: (request) => replaced(request.request.case as 'requestHeaders'),
    });
    const response = await ask({ method: 'POST', body: 'old and longer' });
    expect([upstream.requests[0]?.body, response?.body]).toEqual(['new', 'new']);
    expect(proc.heard).toEqual(['requestHeaders', 'responseHeaders']);
  });

  it('cannot be given to a request that has none', async () => {
    const { ask } = await open({
      answer: on(
        'requestHeaders',
        answered('requestHeaders', {
          status: ResponseStatus.CONTINUE_AND_REPLACE,
          bodyMutation: { mutation: { case: 'body', value: Buffer.from('new') } },
        }),
      ),
    });
    expect((await ask())?.status).toBe(500);
  });

  it('are told or not as the answer to a head chooses, where it may', async () => {
    const answer = on(
      'requestHeaders',
      answered(
        'requestHeaders',
        {},
        {
          modeOverride: {
            requestBodyMode: Body.BUFFERED,
            responseBodyMode: Body.STREAMED,
            responseHeaderMode: 2,
          },
        },
      ),
    );
    const { ask, proc } = await open({ answer, config: { allowModeOverride: true } });
    expect((await ask({ method: 'POST', body: 'abc' }))?.body).toBe('POST / abc');
    expect(proc.heard.slice(0, 2)).toEqual(['requestHeaders', 'requestBody abc.']);
    expect(proc.heard).not.toContain('responseHeaders');
    expect(proc.heard.at(-1)).toBe('responseBody .');
    const among = async (...allowedModes: readonly ExtProcMode[]): Promise<number> => {
      const some = await open({ answer, config: { allowModeOverride: true, allowedModes } });
      await some.ask({ method: 'POST', body: 'abc' });
      return some.proc.heard.indexOf('requestBody abc.');
    };
    const chosen = { requestBody: 'buffered', responseBody: 'streamed', responseHeaders: 'skip' } as const;
    expect(await among({ requestBody: 'buffered' }, { ...chosen, responseTrailers: 'send' })).toBe(-1);
    expect(await among({ requestBody: 'buffered' }, { ...chosen, requestHeaders: 'skip' })).toBe(1);
    const other = await open({ answer });
    await other.ask({ method: 'POST', body: 'abc' });
    expect(other.proc.heard).toEqual(['requestHeaders', 'responseHeaders']);
  });
});

it('trailers are told where they are to be, and changed, in both directions', async () => {
  const { ask, proc, upstream } = await open({
    config: { mode: { requestBody: 'streamed', requestTrailers: 'send', responseTrailers: 'send' } },
    service: () => ({ chunks: ['x'], trailers: { 'x-t': '1' } }),
    answer(request) {
      const { case: part } = request.request;
      return part === 'requestTrailers' || part === 'responseTrailers'
        ? {
            response: {
              case: part,
              value: { headerMutation: { setHeaders: [set('x-more', '2')], removeHeaders: ['x-t'] } },
            },
          }
        : pass(request);
    },
  });
  const response = await ask({
    method: 'POST',
    headers: { te: 'trailers', connection: 'te' },
    chunks: ['abc'],
    trailers: { 'x-t': '0' },
  });
  expect(proc.heard).toEqual([
    'requestHeaders',
    'requestBody abc',
    'requestTrailers',
    'responseHeaders',
    'responseTrailers',
  ]);
  expect(upstream.requests[0]?.trailers).toEqual([['x-more', '2']]);
  expect(response?.trailers).toEqual([['x-more', '2']]);
});
