import {
  CONTINUE,
  defineSlot,
  defineHttpFilter,
  STOP,
  type BodyNeed,
  type HttpFilterUse,
  type HttpStream,
} from '@tulle/filter';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { fakeClock, memoryLog, memoryNetwork, runChain } from '../src/index.ts';
import { anything, filter } from './support.ts';

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));

describe('a chain of filters', () => {
  it('sees the request in order and the response in reverse, and completes once', async () => {
    const seen: string[] = [];
    const spy = (name: string) =>
      filter(name, {
        requestHeaders: () => {
          seen.push(`${name} request`);
          return CONTINUE;
        },
        responseHeaders: () => {
          seen.push(`${name} response`);
          return CONTINUE;
        },
        complete: () => {
          seen.push(`${name} complete`);
        },
      })({});
    await runChain({ filters: [spy('a'), spy('b')] });
    expect(seen).toEqual(['a request', 'b request', 'b response', 'a response', 'a complete', 'b complete']);
  });

  it('awaits a promise and goes on where it was', async () => {
    const seen: string[] = [];
    const spy = (name: string, wait: boolean) =>
      filter(name, {
        requestHeaders: () => {
          seen.push(name);
          return wait ? later(CONTINUE) : CONTINUE;
        },
        responseHeaders: () => {
          seen.push(`-${name}`);
          return wait ? later(CONTINUE) : CONTINUE;
        },
      })({});
    const { response, upstreamRequests } = await runChain({
      filters: [spy('a', true), spy('b', false), spy('c', true)],
      request: { method: 'POST', body: 'abc' },
    });
    expect(response?.status).toBe(200);
    expect(upstreamRequests[0]?.body).toBe('abc');
    expect(seen).toEqual(['a', 'b', 'c', '-c', '-b', '-a']);
  });

  it('answers by reply without asking upstream; filters before and after see the answer', async () => {
    const seen: string[] = [];
    const response =
      (name: string) =>
      (stream: HttpStream): typeof CONTINUE => {
        seen.push(`${name} ${stream.response.status} ${stream.response.origin}`);
        return CONTINUE;
      };
    const result = await runChain({
      filters: [
        filter('a', { responseHeaders: response('a') })({}),
        filter('deny', {
          requestHeaders: (stream) => stream.reply(403, 'TULLE_AUTHZ_DENIED', 'no', ['x-why', 'because']),
        })({}),
        filter('c', {
          requestHeaders: () => {
            seen.push('c request');
            return CONTINUE;
          },
          responseHeaders: response('c'),
        })({}),
      ],
      request: { method: 'POST', body: 'x'.repeat(1000) },
    });
    expect(result.response).toMatchObject({ status: 403, body: 'no' });
    expect(result.response?.header('x-why')).toBe('because');
    expect(result.upstreamRequests).toHaveLength(0);
    expect(seen).toEqual(['c 403 local', 'a 403 local']);
    expect(result.record).toMatchObject({
      status: 403,
      code: 'TULLE_AUTHZ_DENIED',
      details: 'rbac_access_denied',
    });
    expect(result.closed).toBe(false);
  });

  it('replaces the response when a response hook replies', async () => {
    const seen: string[] = [];
    const { response } = await runChain({
      filters: [
        filter('first', {
          responseHeaders: (stream) => {
            seen.push(`first ${stream.response.status}`);
            return CONTINUE;
          },
        })({}),
        filter('replace', { responseHeaders: (stream) => stream.reply(418, 'X_TEAPOT', 'tea') })({}),
      ],
    });
    expect(response).toMatchObject({ status: 418, body: 'tea' });
    expect(seen).toEqual(['first 418']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['stops without a reply', () => STOP],
    ['answers nonsense', () => 7],
  ])(
    'gives 500 when a hook %s, counts it by name, and serves the next request',
    async (_what, requestHeaders) => {
      const result = await runChain({
        filters: [
          filter('bad', {
            requestHeaders: (stream) =>
              stream.request.path === '/ok' ? CONTINUE : (requestHeaders() as never),
          })({}),
        ],
        request: [{}, { path: '/ok' }],
      });
      expect(result.responses.map((response) => response.status)).toEqual([500, 200]);
      expect(result.records[0]).toMatchObject({ code: 'TULLE_FILTER_FAILED', details: 'filter_failed{bad}' });
      expect(result.meter.value('tulle_filter_errors_total', { filter: 'bad' })).toBe(1);
    },
  );

  it('skips a failing filter that is fail-open', async () => {
    const { response } = await runChain({
      filters: [
        filter('bad', {
          requestHeaders: () => {
            throw new Error('boom');
          },
        })({}, { failOpen: true }),
      ],
    });
    expect(response?.status).toBe(200);
  });

  it('refuses an invalid header edit with 500 and sends nothing of it', async () => {
    const { response, upstreamRequests } = await runChain({
      filters: [
        filter('bad', {
          requestHeaders: (stream) => {
            stream.request.headers.set('x-a', 'a\r\nb: c');
            return CONTINUE;
          },
        })({}),
      ],
    });
    expect(response?.status).toBe(500);
    expect(upstreamRequests).toHaveLength(0);
  });

  it('gives fresh state to each stream', async () => {
    const counts: number[] = [];
    await runChain({
      filters: [
        filter('count', {
          requestHeaders: (_stream, _config, state) => {
            state.count++;
            return CONTINUE;
          },
          complete: (_stream, _config, state) => {
            counts.push(++state.count);
          },
        })({}),
      ],
      request: [{}, {}, {}],
    });
    expect(counts).toEqual([2, 2, 2]);
  });

  it('throws on access after the stream is over, and never shows another request', async () => {
    const kept: HttpStream[] = [];
    const caught: unknown[] = [];
    const touch = (read: (stream: HttpStream) => unknown): void => {
      try {
        read(kept[0] as HttpStream);
      } catch (error) {
        caught.push(error);
      }
    };
    let headers: HttpStream['request']['headers'] | undefined;
    await runChain({
      filters: [
        filter('keeper', {
          requestHeaders: (stream) => {
            if (kept.length > 0) {
              touch((old) => old.request.path);
              touch((old) => old.requestId);
              touch(() => headers?.get('host'));
              touch((old) => old.reply(200, 'X'));
            }
            kept.push(stream);
            headers = stream.request.headers;
            return CONTINUE;
          },
        })({}),
      ],
      request: [{}, {}],
    });
    expect(caught).toHaveLength(4);
    for (const error of caught) expect(String(error)).toContain('stream that is over');
  });

  it('merges route overrides, and null removes a filter that is not mandatory', async () => {
    const tagged = filter('tag', {
      requestHeaders: (stream, config) => {
        stream.request.headers.append('x-tag', config.tag ?? '');
        return CONTINUE;
      },
    });
    const base = await runChain({ filters: [tagged({ tag: 'base' })] });
    expect(base.upstreamRequests[0]?.headerAll('x-tag')).toEqual(['base']);
    const over = await runChain({
      filters: [tagged({ tag: 'base' }), tagged({ tag: 'second' }, { name: 'two' })],
      filterConfigs: { tag: { tag: 'route' }, two: null },
    });
    expect(over.upstreamRequests[0]?.headerAll('x-tag')).toEqual(['route']);
    await expect(
      runChain({ filters: [tagged({}, { mandatory: true })], filterConfigs: { tag: null } }),
    ).rejects.toThrow(/mandatory/);
    await expect(runChain({ filters: [tagged({})], filterConfigs: { tga: null } })).rejects.toThrow(
      /no filter of this chain is named "tga"/,
    );
  });

  it('matches again after rematch, and later filters follow the new route', async () => {
    const seen: string[] = [];
    const spy = (name: string) =>
      filter(name, {
        requestHeaders: (_stream, config) => {
          seen.push(`${name}:${config.tag}`);
          return CONTINUE;
        },
        complete: () => {
          seen.push(`${name} complete`);
        },
      });
    const mover = filter('mover', {
      requestHeaders: (stream) => {
        stream.request.path = '/new';
        stream.rematch();
        return CONTINUE;
      },
    });
    const { upstreamRequests } = await runChain({
      filters: [spy('a')({ tag: 'base' }), mover({}), spy('b')({ tag: 'base' })],
      routes: [
        route('/old', 'service'),
        route('/new', 'service', { filterConfigs: { b: { tag: 'new' }, a: null } }),
      ],
      request: { path: '/old' },
    });
    expect(upstreamRequests[0]?.target).toBe('/new');
    expect(seen).toEqual(['a:base', 'b:new', 'b complete', 'a complete']);
  });

  it.each<[string, BodyNeed]>([
    ['collected', { buffer: 100 }],
    ['read as it comes', 'observe'],
  ])('refuses rematch from a hook of a body that is %s', async (_name, request) => {
    const errors: unknown[] = [];
    const late = filter(
      'late',
      {
        requestData(stream) {
          try {
            stream.rematch();
          } catch (error) {
            errors.push(error);
          }
          return CONTINUE;
        },
      },
      { body: { request } },
    );
    const { upstreamRequests } = await runChain({
      filters: [late({})],
      request: { method: 'POST', body: 'abc' },
    });
    for (const error of errors) expect(String(error)).toMatch(/call it from requestHeaders/);
    expect([errors.length > 0, upstreamRequests[0]?.body]).toEqual([true, 'abc']);
  });

  it('runs before-route filters for requests that no route matches', async () => {
    const seen: string[] = [];
    const early = filter(
      'early',
      {
        requestHeaders: (stream) => {
          seen.push(String(stream.route?.name));
          if (stream.request.path === '/x') stream.request.path = '/y';
          return CONTINUE;
        },
        complete: (stream) => {
          seen.push(`complete ${stream.route?.name}`);
        },
      },
      { stage: 'before-route' },
    );
    const { responses } = await runChain({
      filters: [early({})],
      routes: [route('/y', 'service')],
      request: [{ path: '/none' }, { path: '/x' }],
    });
    expect(responses.map((response) => response.status)).toEqual([404, 200]);
    expect(seen).toEqual(['undefined', 'complete undefined', 'undefined', 'complete /y']);
  });

  it('runs unrouted filters in their place, with the base configuration, for requests that no route matches', async () => {
    const seen: string[] = [];
    const spy = (name: string, unrouted: boolean) =>
      filter(
        name,
        {
          requestHeaders: (stream, config) => {
            seen.push(`${name}:${config.tag}:${stream.route?.name}`);
            return stream.request.path === '/secret' ? stream.reply(401, 'X_STRANGER') : CONTINUE;
          },
          responseHeaders: (stream) => {
            seen.push(`-${name}:${stream.response.status}`);
            return CONTINUE;
          },
        },
        { unrouted },
      );
    const { responses } = await runChain({
      filters: [spy('a', true)({ tag: 'base' }), spy('b', false)({ tag: 'base' })],
      routes: [route('/y', 'service', { filterConfigs: { a: { tag: 'y' } } })],
      request: [{ path: '/none' }, { path: '/secret' }, { path: '/y' }],
    });
    expect(responses.map((response) => response.status)).toEqual([404, 401, 200]);
    expect(seen).toEqual([
      'a:base:undefined',
      '-a:404',
      'a:base:undefined',
      '-a:401',
      'a:y:/y',
      'b:base:/y',
      '-b:200',
      '-a:200',
    ]);
  });

  it('lets filters that collect a body refuse what the proxy would answer itself', async () => {
    const seen: string[] = [];
    const judge = filter(
      'judge',
      {
        requestData: (stream, _config, _state, bytes) => {
          seen.push(Buffer.from(bytes).toString());
          return bytes.length > 4 ? stream.reply(401, 'X_STRANGER') : CONTINUE;
        },
      },
      { body: { request: { buffer: 64 } }, unrouted: true },
    );
    const { responses, upstreamRequests } = await runChain({
      filters: [judge({})],
      routes: [
        route('/moved', { kind: 'redirect', path: { kind: 'full', value: '/y' } }),
        route('/said', { kind: 'direct', status: 200, body: 'hello' }),
        route('/y', 'service'),
      ],
      request: ['/none', '/moved', '/said', '/y'].flatMap((path) =>
        [['fits'], ['lo', 'nger']].map((chunks) => ({ method: 'POST', path, chunks })),
      ),
      chunkBytes: 1,
    });
    expect(responses.map((response) => response.status)).toEqual([404, 401, 302, 401, 200, 401, 200, 401]);
    expect(seen).toEqual(Array.from({ length: 4 }, () => ['fits', 'longer']).flat());
    expect(upstreamRequests.map(({ body }) => body)).toEqual(['fits']);
  });

  it('tells a caller to go on whose body filters collect, though it is answered here', async () => {
    const collects = filter(
      'collects',
      { requestData: () => CONTINUE },
      { body: { request: { buffer: 64 } }, unrouted: true },
    );
    const { responses } = await runChain({
      filters: [collects({})],
      routes: [],
      request: [
        { method: 'POST', path: '/none', body: 'body', headers: { expect: '100-continue' } },
        { method: 'POST', path: '/none', body: 'body' },
      ],
    });
    expect(responses.map((response) => response.status)).toEqual([404, 404]);
  });

  it('asks no filter about an upgrade that its route does not let pass, but for its answer', async () => {
    const seen: string[] = [];
    const spy = filter('spy', {
      requestHeaders: () => {
        seen.push('request');
        return CONTINUE;
      },
      responseHeaders: (stream) => {
        seen.push(String(stream.response.status));
        return CONTINUE;
      },
    });
    const { responses } = await runChain({
      filters: [spy({})],
      request: { headers: { connection: 'upgrade', upgrade: 'other' } },
    });
    expect(responses.map((response) => response.status)).toEqual([403]);
    expect(seen).toEqual(['403']);
  });

  it('gives an answer in the place of a response the fields of its listener', async () => {
    const refuses = filter('refuses', { responseHeaders: (stream) => stream.reply(503, 'X_NO') });
    const { response } = await runChain({
      filters: [refuses({})],
      handler: { serverHeader: { value: 'mine' } },
    });
    expect([response?.status, response?.headerAll('server')]).toEqual([503, ['mine']]);
  });

  it('lets an unrouted filter find a route after all by rematch', async () => {
    const mover = filter(
      'mover',
      {
        requestHeaders: (stream) => {
          stream.request.path = '/y';
          stream.rematch();
          return CONTINUE;
        },
      },
      { unrouted: true },
    );
    const after = filter('after', {
      requestHeaders: (stream) => {
        stream.request.headers.set('x-route', stream.route?.name ?? 'none');
        return CONTINUE;
      },
    });
    const { upstreamRequests } = await runChain({
      filters: [mover({}), after({})],
      routes: [route('/y', 'service')],
      request: { path: '/none' },
    });
    expect(upstreamRequests[0]?.header('x-route')).toBe('/y');
  });

  it('hands values over in slots, and refuses a chain without the provider', async () => {
    const slot = defineSlot<string>('test.slot');
    const provider = defineHttpFilter({
      apiVersion: 1,
      id: 'provider',
      config: anything<object>(),
      provides: [slot],
      create: () => ({
        requestHeaders: (stream) => {
          stream.set(slot, 'hello');
          return CONTINUE;
        },
      }),
    });
    const consumer = defineHttpFilter({
      apiVersion: 1,
      id: 'consumer',
      config: anything<object>(),
      requires: [slot],
      create: () => ({
        requestHeaders: (stream) => {
          stream.request.headers.set('x-slot', stream.get(slot) ?? '');
          return CONTINUE;
        },
      }),
    });
    const { upstreamRequests } = await runChain({ filters: [provider({}), consumer({})] });
    expect(upstreamRequests[0]?.header('x-slot')).toBe('hello');
    await expect(runChain({ filters: [consumer({}), provider({})] })).rejects.toThrow(
      /requires the slot test.slot.*put that before/,
    );
    await expect(
      runChain({ filters: [provider({}), consumer({})], filterConfigs: { provider: null } }),
    ).rejects.toThrow(/requires the slot test.slot.*on this route/);
  });

  it('asks the configuration what it requires, on routes too', async () => {
    const slot = defineSlot<string>('test.other');
    const consumer = defineHttpFilter<{ need?: boolean }, { need?: boolean }>({
      apiVersion: 1,
      id: 'consumer',
      config: anything(),
      routeConfig: anything(),
      requiresFor: (config) => (config.need === true ? [slot] : []),
      create: () => ({ requestHeaders: () => CONTINUE }),
    });
    expect((await runChain({ filters: [consumer({})] })).response?.status).toBe(200);
    await expect(runChain({ filters: [consumer({ need: true })] })).rejects.toThrow(
      /requires the slot test.other, which no earlier filter provides; add one/,
    );
    await expect(
      runChain({ filters: [consumer({})], filterConfigs: { consumer: { need: true } } }),
    ).rejects.toThrow(/requires the slot test.other.*on this route/);
  });
});

describe('data hooks', () => {
  it.each([undefined, 1, 7])('observe bodies without changing them (pieces of %s)', async (chunkBytes) => {
    let request = '';
    let response = '';
    const ends: string[] = [];
    const observer = filter(
      'observer',
      {
        requestData: (_stream, _config, _state, bytes, end) => {
          request += Buffer.from(bytes).toString();
          if (end) ends.push('request');
          return CONTINUE;
        },
        responseData: (_stream, _config, _state, bytes, end) => {
          response += Buffer.from(bytes).toString();
          if (end) ends.push('response');
          return CONTINUE;
        },
      },
      { body: { request: 'observe', response: 'observe' } },
    );
    const result = await runChain({
      filters: [observer({})],
      request: { method: 'POST', body: 'hello body' },
      upstream: () => ({ body: 'the answer' }),
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    });
    expect([request, response, result.response?.body, result.upstreamRequests[0]?.body]).toEqual([
      'hello body',
      'the answer',
      'the answer',
      'hello body',
    ]);
    expect(result.upstreamRequests[0]?.header('content-length')).toBe('10');
    expect(ends).toEqual(['request', 'response']);
  });

  it.each([false, true])(
    'transform bodies; lengths and validators go (asynchronously: %s)',
    async (asynchronous) => {
      const upper = filter(
        'upper',
        {
          requestData: (stream, _config, _state, bytes, end) => {
            stream.emit(Buffer.from(Buffer.from(bytes).toString().toUpperCase() + (end ? '!' : '')));
            return asynchronous ? later(CONTINUE) : CONTINUE;
          },
          responseData: async (stream, _config, _state, bytes, end): Promise<typeof CONTINUE> => {
            if (asynchronous) await later(0);
            stream.emit(Buffer.from(Buffer.from(bytes).toString().toUpperCase() + (end ? '?' : '')));
            return CONTINUE;
          },
        },
        { body: { request: 'transform', response: 'transform' } },
      );
      const result = await runChain({
        filters: [upper({})],
        request: { method: 'POST', body: 'abc' },
        upstream: () => ({ body: 'xyz', headers: { etag: '"1"' } }),
        chunkBytes: 5,
      });
      expect(result.upstreamRequests[0]?.body).toBe('ABC!');
      expect(result.upstreamRequests[0]?.header('content-length')).toBeUndefined();
      expect(result.response?.body).toBe('XYZ?');
      expect(result.response?.header('etag')).toBeUndefined();
      expect(result.response?.header('transfer-encoding')).toBe('chunked');
    },
  );

  it('recode bodies: a strong etag becomes weak, a weak one stays, digests go', async () => {
    const recoding = filter(
      'recoding',
      {
        responseData: (stream, _config, _state, bytes) => {
          stream.emit(bytes);
          return CONTINUE;
        },
      },
      { body: { response: 'recode' } },
    );
    const etags = ['"1"', 'W/"2"'];
    const { responses } = await runChain({
      filters: [recoding({})],
      request: [{}, {}],
      upstream: () => ({
        body: 'xyz',
        headers: { etag: etags.shift() ?? '', 'content-digest': 'sha-256=:x:', 'accept-ranges': 'bytes' },
      }),
    });
    expect(responses.map((response) => response.header('etag'))).toEqual(['W/"1"', 'W/"2"']);
    expect(responses[0]).toMatchObject({ body: 'xyz' });
    for (const name of ['content-length', 'content-digest', 'accept-ranges'])
      expect(responses[0]?.header(name), name).toBeUndefined();
  });

  it('know the length of a response where it was announced, also of an answer to HEAD and of a local one', async () => {
    const seen: (number | undefined)[] = [];
    const spy = filter('spy', {
      requestHeaders: (stream) =>
        stream.request.path === '/local' ? stream.reply(200, 'X_LOCAL', 'local') : CONTINUE,
      responseHeaders: (stream) => {
        seen.push(stream.response.bodyLength);
        return CONTINUE;
      },
    });
    await runChain({
      filters: [spy({})],
      request: [{}, { path: '/chunked' }, { method: 'HEAD' }, { path: '/local' }],
      upstream: ({ target }) => (target === '/chunked' ? { chunks: ['a'] } : { body: 'four' }),
    });
    expect(seen).toEqual([4, undefined, 4, 5]);
  });

  it('let a body pass that a filter does not want, with length and validators', async () => {
    const seen: string[] = [];
    const choosy = filter(
      'choosy',
      {
        responseHeaders: (stream) => {
          if (stream.request.path === '/leave') stream.passResponseBody();
          return CONTINUE;
        },
        responseData: (stream, _config, _state, bytes) => {
          seen.push(Buffer.from(bytes).toString());
          stream.emit(Buffer.from(bytes).reverse());
          return CONTINUE;
        },
      },
      { body: { response: 'transform' } },
    );
    const { responses } = await runChain({
      filters: [choosy({})],
      request: [{ path: '/leave' }, { path: '/change' }],
      upstream: () => ({ body: 'xyz', headers: { etag: '"1"' } }),
    });
    expect(responses.map((response) => response.body)).toEqual(['xyz', 'zyx']);
    expect(responses.map((response) => response.header('content-length'))).toEqual(['3', undefined]);
    expect(responses.map((response) => response.header('etag'))).toEqual(['"1"', undefined]);
    expect(seen.join('')).toBe('xyz');
  });

  it('let the body of a request pass that they do not want, with its length, whatever its filter would do', async () => {
    const choosy = (need: BodyNeed): HttpFilterUse =>
      filter(
        'choosy',
        {
          requestHeaders: (stream) => {
            if (stream.request.path === '/leave') stream.passRequestBody();
            return CONTINUE;
          },
          requestData: (stream, _config, _state, bytes) => {
            stream.emit(Buffer.from(bytes).reverse());
            return CONTINUE;
          },
        },
        { body: { request: need } },
      )({});
    for (const need of ['transform', { buffer: 100 }] as const) {
      const { upstreamRequests } = await runChain({
        filters: [choosy(need)],
        request: [
          { method: 'POST', path: '/leave', body: 'xyz' },
          { method: 'POST', path: '/change', body: 'xyz' },
          { method: 'POST', path: '/leave', body: '' },
        ],
      });
      expect(upstreamRequests.map(({ body }) => body)).toEqual(['xyz', 'zyx', '']);
      expect(upstreamRequests[0]?.header('content-length')).toBe('3');
    }
  });

  it('cannot let a body pass that is on its way', async () => {
    const late = filter(
      'late',
      {
        requestData: (stream) => {
          stream.passRequestBody();
          return CONTINUE;
        },
      },
      { body: { request: 'observe' } },
    );
    const { response, log } = await runChain({
      filters: [late({})],
      request: { method: 'POST', body: 'x' },
    });
    expect(response?.status).toBe(500);
    expect(JSON.stringify(log.lines)).toContain('outside requestHeaders');
  });

  it('put the trailers of a response into its body, where callers do not read trailers', async () => {
    const moved = filter(
      'moved',
      {
        responseData: (stream, _config, _state, bytes, end) => {
          stream.emit(bytes);
          if (!end) return CONTINUE;
          stream.emit(Buffer.from(`[${stream.response.trailers.get('x-sum') ?? ''}]`));
          stream.response.trailers.remove('x-sum');
          return CONTINUE;
        },
      },
      { body: { response: 'transform' } },
    );
    const { responses } = await runChain({
      filters: [moved({})],
      request: [{}, { path: '/none' }],
      upstream: ({ target }) => ({
        chunks: ['body'],
        ...(target === '/none' ? {} : { trailers: { 'x-sum': '12', 'x-other': 'stays' } }),
      }),
    });
    expect(responses.map(({ body, trailers }) => [body, trailers])).toEqual([
      ['body[12]', [['x-other', 'stays']]],
      ['body[]', []],
    ]);
  });

  it('take their needs from the configuration, where that says them', async () => {
    const sizes: number[] = [];
    const buffering = filter(
      'buffering',
      {
        requestHeaders: (stream) => {
          stream.request.headers.set('x-body', String(stream.request.hasBody));
          return CONTINUE;
        },
        requestData: (_stream, _config, _state, bytes) => {
          sizes.push(bytes.length);
          return CONTINUE;
        },
      },
      { bodyFor: ({ tag }) => (tag === undefined ? {} : { request: { buffer: Number(tag) } }) },
    );
    const { responses, upstreamRequests } = await runChain({
      filters: [buffering({})],
      routes: [
        route('/small', 'service', { filterConfigs: { buffering: { tag: '4' } } }),
        route('/', 'service'),
      ],
      request: [
        {},
        { method: 'POST', body: 'hello' },
        { method: 'POST', path: '/small', chunks: ['a', 'b'] },
        { method: 'POST', path: '/small', body: 'hello' },
      ],
    });
    expect(responses.map((response) => response.status)).toEqual([200, 200, 200, 413]);
    expect(upstreamRequests.map((request) => request.header('x-body'))).toEqual(['false', 'true', 'true']);
    expect(sizes).toEqual([2]);
  });

  it('buffer bodies up to the cap, and refuse longer ones', async () => {
    const sizes: number[] = [];
    const buffering = filter(
      'buffering',
      {
        requestData: (_stream, _config, _state, bytes, end) => {
          sizes.push(bytes.length, Number(end));
          return CONTINUE;
        },
        responseData: (stream, _config, _state, bytes) => {
          stream.emit(Buffer.from(`[${Buffer.from(bytes).toString()}]`));
          return CONTINUE;
        },
      },
      { body: { request: { buffer: 20 }, response: { buffer: 20 } } },
    );
    const good = await runChain({
      filters: [buffering({})],
      request: { method: 'POST', chunks: ['hello', ' body'] },
      upstream: () => ({ chunks: ['a', 'b'] }),
      chunkBytes: 3,
    });
    expect(sizes).toEqual([10, 1]);
    expect(good.upstreamRequests[0]).toMatchObject({ body: 'hello body' });
    expect(good.upstreamRequests[0]?.header('content-length')).toBe('10');
    expect(good.response).toMatchObject({ status: 200, body: '[ab]' });
    expect(good.response?.header('content-length')).toBe('4');
    const long = await runChain({
      filters: [buffering({})],
      request: { method: 'POST', body: 'x'.repeat(21) },
    });
    expect(long.response?.status).toBe(413);
    expect(long.upstreamRequests).toHaveLength(0);
    const answer = await runChain({ filters: [buffering({})], upstream: () => ({ body: 'x'.repeat(21) }) });
    expect(answer.response?.status).toBe(502);
  });

  it('may refuse a request for its buffered body', async () => {
    const judge = filter(
      'judge',
      {
        requestData: (stream, _config, _state, bytes) =>
          Buffer.from(bytes).toString() === 'bad' ? stream.reply(422, 'X_BAD', 'bad body') : CONTINUE,
      },
      { body: { request: { buffer: 100 } } },
    );
    const { responses, upstreamRequests } = await runChain({
      filters: [judge({})],
      request: [
        { method: 'POST', body: 'bad' },
        { method: 'POST', body: 'good' },
      ],
    });
    expect(responses.map((response) => response.status)).toEqual([422, 200]);
    expect(upstreamRequests.map((request) => request.body)).toEqual(['good']);
  });

  it('sees trailers', async () => {
    const names: string[] = [];
    const trailers = filter('trailers', {
      requestTrailers: (stream) => {
        names.push(stream.request.trailers.name(0));
        return CONTINUE;
      },
      responseTrailers: (stream) => {
        names.push(stream.response.trailers.name(0));
        return CONTINUE;
      },
    });
    const result = await runChain({
      filters: [trailers({})],
      request: { method: 'POST', chunks: ['a'], trailers: { 'x-req': '1' } },
      upstream: () => ({ chunks: ['b'], trailers: { 'x-res': '2' } }),
    });
    expect(names).toEqual(['x-req', 'x-res']);
    expect(result.response?.trailers).toEqual([['x-res', '2']]);
  });
});

describe('filter lifecycle', () => {
  it('creates in order and disposes in reverse, also after a half-failed creation', async () => {
    const events: string[] = [];
    const lively = (id: string, fails = false) =>
      defineHttpFilter({
        apiVersion: 1,
        id,
        config: anything<object>(),
        create: () => {
          events.push(`create ${id}`);
          if (fails) throw new Error('cannot');
          return {
            dispose: () => {
              events.push(`dispose ${id}`);
            },
          };
        },
      })({});
    await runChain({ filters: [lively('a'), lively('b')] });
    expect(events.splice(0)).toEqual(['create a', 'create b', 'dispose b', 'dispose a']);
    await expect(runChain({ filters: [lively('a'), lively('b', true)] })).rejects.toThrow(
      /filter b could not be created: cannot/,
    );
    expect(events).toEqual(['create a', 'create b', 'dispose a']);
  });

  it('gives up on a create that takes too long, by name', async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const slow = defineHttpFilter({
      apiVersion: 1,
      id: 'slow',
      config: anything<object>(),
      create: () => new Promise<never>(() => {}),
    });
    const proxy = createProxy({
      transport: network.transport,
      clock,
      log: memoryLog(),
      listeners: [httpListener({ port: 1, routes: [route('/', 'c')], filters: [slow({})] })],
      clusters: [cluster('c', ['10.0.0.1:80'])],
    });
    const failed = proxy.start().catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(String(await failed)).toContain(
      'filter slow could not be created: create was not done after 10000 ms',
    );
  });
});
