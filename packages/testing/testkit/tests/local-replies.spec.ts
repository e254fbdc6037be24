import { httpListener, route } from '@tulle/proxy';
import type { LocalReplies } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { filter, started } from './support.ts';

function replying(localReplies: LocalReplies): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        localReplies,
        routes: [
          route('/direct', { kind: 'direct', status: 418, body: 'short & stout' }),
          route('/up', 'api'),
          route('/down', 'gone'),
          route('/denied', 'api'),
        ],
        filters: [
          filter('deny', {
            requestHeaders: (stream) => {
              if (stream.request.path !== '/denied') return 0;
              return stream.reply(403, 'TULLE_DENIED', 'no entry', ['x-why', 'because']);
            },
          })({}),
        ],
      }),
    ],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
      { name: 'gone', discovery: { kind: 'static', endpoints: [] } },
    ],
    upstreams: { '10.0.0.1:80': () => ({ status: 503, body: 'from the service' }) },
  });
}

describe('local replies', () => {
  it('leave out what has no value, where that is said', async () => {
    const test = await replying({
      format: { json: { status: '%RESPONSE_CODE%', said: '%REQ(X-SAID)%' }, omitEmpty: true },
      mappers: [
        { match: { minStatus: 418, maxStatus: 418 }, format: { text: '[%REQ(X-SAID)%]', omitEmpty: true } },
      ],
    });
    expect((await test.client().request({ path: '/down', headers: { host: 'shop' } })).body).toBe(
      '{"status":503}\n',
    );
    expect((await test.client().request({ path: '/direct', headers: { host: 'shop' } })).body).toBe('[]');
  });

  it('have the body that the format says, as JSON with the types of its operators', async () => {
    const test = await replying({
      format: {
        json: {
          status: '%RESPONSE_CODE%',
          flags: '%RESPONSE_FLAGS%',
          code: '%CODE%',
          request: { id: '%REQ(X-REQUEST-ID)%', path: '%REQ(:PATH)%', said: '%REQ(X-SAID)%' },
          message: '%LOCAL_REPLY_BODY%',
          host: 'at %REQ(:AUTHORITY)%',
        },
      },
    });
    const answer = await test
      .client()
      .request({ path: '/down?a=b', headers: { host: 'shop', 'x-said': 'say "hi"' } });
    expect(answer.status).toBe(503);
    expect(answer.header('content-type')).toBe('application/json');
    expect(Number(answer.header('content-length'))).toBe(Buffer.byteLength(answer.body));
    const id = test.records[0]?.requestId ?? '';
    expect(JSON.parse(answer.body)).toEqual({
      status: 503,
      flags: 'UH',
      code: 'TULLE_UPSTREAM_NO_ENDPOINT',
      request: { id, path: '/down?a=b', said: 'say "hi"' },
      message: `TULLE_UPSTREAM_NO_ENDPOINT (request ${id})\n`,
      host: 'at shop',
    });
  });

  it('are told from what an endpoint answers, which stays as it is', async () => {
    const test = await replying({
      format: { text: 'shaped' },
      mappers: [{ match: { minStatus: 500 }, status: 500 }],
    });
    expect(await test.client().request({ path: '/up' })).toMatchObject({
      status: 503,
      body: 'from the service',
    });
  });

  it('are mapped by status and flag to another status, body and fields; the first mapper that matches counts', async () => {
    const test = await replying({
      format: { text: '%RESPONSE_CODE%: %LOCAL_REPLY_BODY%' },
      mappers: [
        {
          match: { minStatus: 400, maxStatus: 499, flags: ['NR'] },
          status: 410,
          body: 'nothing here',
          headers: { set: [{ name: 'x-shaped', value: 'yes' }] },
        },
        { match: { minStatus: 404 }, body: 'never for NR' },
        {
          match: { minStatus: 403, maxStatus: 403 },
          format: { text: '<p>%LOCAL_REPLY_BODY%</p>', contentType: 'text/html' },
        },
      ],
    });
    const ask = (path: string) => test.client().request({ path });
    const lost = await ask('/nowhere');
    expect(lost).toMatchObject({ status: 410, body: '410: nothing here' });
    expect(lost.header('x-shaped')).toBe('yes');
    expect(await ask('/down')).toMatchObject({ status: 503, body: '503: never for NR' });
    const denied = await ask('/denied');
    expect(denied).toMatchObject({ status: 403, body: '<p>no entry</p>' });
    expect(denied.header('content-type')).toBe('text/html');
    expect(denied.header('x-why')).toBe('because');
    expect(test.records.map(({ status }) => status)).toEqual([410, 503, 403]);
  });

  it('take no markup of a caller into a page', async () => {
    const test = await replying({ format: { text: '<p>%REQ(X-NAME)%</p>', contentType: 'text/html' } });
    const answer = await test.client().request({ path: '/x', headers: { 'x-name': '<script>"&' } });
    expect(answer.body).toBe('<p>&lt;script&gt;&quot;&amp;</p>');
    const plain = await replying({ format: { text: '%REQ(X-NAME)% %LOCAL_REPLY_BODY%' } });
    const direct = await plain.client().request({ path: '/direct', headers: { 'x-name': '<b>' } });
    expect(direct.body).toBe('<b> short & stout');
  });

  it('have the length of their body, and none, for HEAD', async () => {
    const test = await replying({ format: { text: 'twelve bytes' } });
    const answer = await test.client().request({ method: 'HEAD', path: '/nowhere' });
    expect(answer).toMatchObject({ status: 404, body: '' });
    expect(answer.header('content-length')).toBe('12');
  });

  it('answer what is no request as well', async () => {
    const test = await replying({ format: { text: 'refused: %RESPONSE_CODE_DETAILS%' } });
    const caller = test.connect();
    caller.send('GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n');
    await caller.over();
    expect(caller.received.toString()).toMatch(/^HTTP\/1\.1 400 [^]*refused: http1\.codec_error/);
  });

  it('are refused with every fault, by its column', async () => {
    await expect(
      replying({
        format: { json: { a: '%NOPE%', b: { c: '%REQ%' } } },
        mappers: [
          { match: {} },
          { match: { minStatus: 500, maxStatus: 400 }, format: { text: 'host %HOSTNAME%' } },
        ],
      }),
    ).rejects.toMatchObject({
      issues: expect.arrayContaining([
        expect.objectContaining({ path: expect.stringMatching(/localReplies\/format\/json\/a$/) as string }),
        expect.objectContaining({
          path: expect.stringMatching(/localReplies\/format\/json\/b\/c$/) as string,
        }),
        expect.objectContaining({ message: expect.stringContaining('no condition') as string }),
        expect.objectContaining({ message: '500 is more than maxStatus (400)' }),
        expect.objectContaining({ message: expect.stringContaining('column 6: %HOSTNAME%') as string }),
      ]) as unknown[],
    });
  });
});
