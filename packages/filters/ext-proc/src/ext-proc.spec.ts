import type { ExtProcFilterConfig, ExtProcMutationRules } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { pass, type Processor } from '../tests/processor.ts';

import { answered, fieldsOf, on, open, set } from '../tests/setup.ts';

describe('heads', () => {
  it('are told, and pass when they were answered', async () => {
    const { ask, proc, upstream, value } = await open();
    const response = await ask({
      method: 'PUT',
      path: '/x?y=1',
      headers: { 'x-a': '1', host: 'shop.example' },
      body: 'abc',
    });
    expect([response?.status, response?.body]).toEqual([200, 'PUT /x?y=1 abc a=1']);
    expect(proc.heard).toEqual(['requestHeaders', 'responseHeaders']);
    const [request, answer] = proc.requests;
    const head = request?.request.case === 'requestHeaders' ? request.request.value : undefined;
    expect(fieldsOf(head?.headers)).toMatchObject({
      ':authority': 'shop.example',
      ':path': '/x?y=1',
      ':method': 'PUT',
      ':scheme': 'http',
      'x-a': '1',
    });
    expect(head?.endOfStream).toBe(false);
    const second = answer?.request.case === 'responseHeaders' ? answer.request.value : undefined;
    expect(fieldsOf(second?.headers)).toMatchObject({ ':status': '200', 'x-service': 'yes' });
    expect(upstream.requests[0]?.header('content-length')).toBe('3');
    expect(value('messages_total', { result: 'answered' })).toBe(2);
    expect([request?.observabilityMode, Object.keys(request?.attributes ?? {})]).toEqual([false, []]);
  });

  it('say where there is no body', async () => {
    const { ask, proc } = await open({ service: () => ({ status: 204 }) });
    await ask();
    expect(
      proc.requests.map(({ request }) => (request.value as { endOfStream: boolean }).endOfStream),
    ).toEqual([true, true]);
  });

  it('are changed as the answer says, what goes before what comes', async () => {
    const { ask, upstream } = await open({
      answer: (request) => {
        if (request.request.case === 'requestHeaders')
          return answered('requestHeaders', {
            headerMutation: {
              removeHeaders: ['X-Gone', 'x-swapped'],
              setHeaders: [
                set('x-swapped', 'new'),
                set('x-added', '2', { append: true }),
                set('x-kept', 'no', { appendAction: 1 }),
                set('x-replaced', 'yes', { appendAction: 2 }),
                set('x-absent', 'no', { appendAction: 3 }),
                set('x-old', 'yes', { append: false }),
                set(':path', '/changed?q=2', { appendAction: 2 }),
              ],
            },
          });
        return answered('responseHeaders', {
          headerMutation: {
            setHeaders: [set(':status', '202'), set('x-from', 'proc')],
            removeHeaders: ['x-service'],
          },
        });
      },
    });
    const response = await ask({
      headers: [
        ['host', 'a'],
        ['x-gone', '1'],
        ['x-swapped', 'old'],
        ['x-added', '1'],
        ['x-kept', 'yes'],
        ['x-replaced', 'no'],
        ['x-old', 'no'],
      ],
    });
    const sent = upstream.requests[0];
    expect(sent?.target).toBe('/changed?q=2');
    const read = (name: string): readonly string[] | undefined => sent?.headerAll(name);
    expect(read('x-gone')).toEqual([]);
    expect(read('x-swapped')).toEqual(['new']);
    expect(read('x-added')).toEqual(['1', '2']);
    // As in Envoy, which does not ask for `append_action` here.
    expect(read('x-kept')).toEqual(['no']);
    expect(read('x-replaced')).toEqual(['yes']);
    expect(read('x-absent')).toEqual(['no']);
    expect(read('x-old')).toEqual(['yes']);
    expect([response?.status, response?.header('x-from'), response?.header('x-service')]).toEqual([
      202,
      'proc',
      undefined,
    ]);
  });

  it('are matched again where the answer asks for it, or always, or never', async () => {
    const answer: Processor['answer'] = (request) =>
      request.request.case === 'requestHeaders'
        ? answered('requestHeaders', {
            headerMutation: { setHeaders: [set(':path', '/other', { appendAction: 2 })] },
            clearRouteCache: true,
          })
        : pass(request);
    const routeOf = async (
      config: Partial<ExtProcFilterConfig>,
      say = answer,
    ): Promise<string | undefined> => {
      const { ask, proxy } = await open({ answer: say, config });
      await ask();
      return proxy.records.at(-1)?.routeName;
    };
    const quiet: Processor['answer'] = (request) =>
      request.request.case === 'requestHeaders'
        ? answered('requestHeaders', {
            headerMutation: { setHeaders: [set(':path', '/other', { appendAction: 2 })] },
          })
        : pass(request);
    expect(await routeOf({})).toBe('/other');
    expect(await routeOf({}, quiet)).toBe('/');
    expect(await routeOf({ rematch: 'always' }, quiet)).toBe('/other');
    expect(await routeOf({ rematch: 'never' })).toBe('/');
  });

  it('are told without fields that are withheld, and with those alone that are listed', async () => {
    const { ask, proc } = await open({
      config: { sentHeaders: [':path', 'x-*'], withheldHeaders: ['x-secret'] },
    });
    await ask({ headers: { 'x-a': '1', 'x-secret': '2', cookie: 'c' } });
    const head = proc.requests[0]?.request.value as { headers: Parameters<typeof fieldsOf>[0] };
    expect(
      Object.keys(fieldsOf(head.headers)).filter((name) => !/^x-(forwarded|request)/.test(name)),
    ).toEqual([':path', 'x-a']);
  });
});

describe('the rules of changes', () => {
  const attempt = (...names: string[]): Processor['answer'] =>
    on(
      'requestHeaders',
      answered('requestHeaders', {
        headerMutation: {
          setHeaders: names.map((name) =>
            set(name, name === ':method' ? 'PATCH' : name === ':authority' ? 'evil.example' : 'v', {
              appendAction: 2,
            }),
          ),
        },
      }),
    );

  it.each<[string, ExtProcMutationRules, string[], string[]]>([
    [
      'as they stand',
      {},
      ['x-a', 'x-envoy-a', ':method', ':authority', 'content-length', 'x-tulle-a', 'bad name'],
      ['x-a'],
    ],
    ['allowRouting', { allowRouting: true }, [':method', ':authority'], [':method', ':authority']],
    ['allowEnvoy', { allowEnvoy: true }, ['x-envoy-a'], ['x-envoy-a']],
    ['disallowSystem', { disallowSystem: true, allowRouting: true }, [':method', 'x-a'], ['x-a']],
    [
      'disallowAll but for a pattern',
      { disallowAll: true, allowPattern: 'x-a.*' },
      ['x-a', 'x-ab', 'x-b'],
      ['x-a', 'x-ab'],
    ],
    ['a pattern that wins', { allowPattern: 'x-.*', disallowPattern: 'x-b' }, ['x-a', 'x-b'], ['x-a']],
  ])('%s', async (_name, mutationRules, tried, made) => {
    const { ask, upstream, value } = await open({ answer: attempt(...tried), config: { mutationRules } });
    expect((await ask())?.status).toBe(200);
    const sent = upstream.requests[0];
    const has = (name: string): boolean =>
      name === ':method'
        ? sent?.method === 'PATCH'
        : name === ':authority'
          ? sent?.header('host') === 'evil.example'
          : sent?.header(name) === 'v';
    expect(tried.filter(has)).toEqual(made);
    expect(value('rejected_header_mutations_total')).toBe(tried.length - made.length);
  });

  it('may make a change that is not allowed end the stream', async () => {
    const { ask, proxy } = await open({
      answer: attempt('x-envoy-a'),
      config: { mutationRules: { disallowedIsError: true } },
    });
    expect((await ask())?.status).toBe(500);
    expect(proxy.records.at(-1)).toMatchObject({
      code: 'TULLE_EXT_PROC_ERROR',
      details: 'ext_proc_error{mutation}',
    });
  });
});

it('is told attributes with the first message of a direction, and what earlier filters found out', async () => {
  const { ask, proc } = await open({
    config: {
      requestAttributes: [
        'request.path',
        'request.method',
        'source.port',
        'xds.route_name',
        'connection.mtls',
      ],
      responseAttributes: ['response.code'],
      mode: { requestBody: 'buffered' },
    },
  });
  await ask({ method: 'POST', path: '/x?y', body: 'a' });
  const [head, body, response] = proc.requests;
  expect(head?.attributes['envoy.filters.http.ext_proc']).toMatchObject({
    'request.path': '/x?y',
    'request.method': 'POST',
    'xds.route_name': '/',
    'connection.mtls': false,
  });
  expect(body?.attributes).toEqual({});
  expect(response?.attributes).toEqual({ 'envoy.filters.http.ext_proc': { 'response.code': 200 } });
});

it('says something to later filters, in namespaces in which it may', async () => {
  const answer = on(
    'requestHeaders',
    answered('requestHeaders', {}, { dynamicMetadata: { mine: { a: 1 }, yours: { b: 2 } } }),
  );
  const { ask, known } = await open({ answer, config: { receivedMetadata: ['mine'] } });
  await ask();
  expect(known).toEqual([{ mine: { a: 1 } }]);
});

it('a route gives another mode and other fields of the call, or has none', async () => {
  const { ask, proc } = await open({
    config: {
      service: {
        cluster: 'proc',
        metadata: [
          { name: 'x-one', value: '1' },
          { name: 'x-two', value: '1' },
        ],
      },
    },
    route: {
      mode: { requestHeaders: 'skip', responseHeaders: 'skip', requestBody: 'buffered' },
      addedMetadata: [{ name: 'x-two', value: '2' }],
    },
  });
  await ask({ method: 'POST', body: 'abc' });
  expect(proc.heard).toEqual(['requestBody abc.']);
});
