import type { HttpHandler } from '@tulle/model';
import { route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { CONTINUE, filter, simple } from './support.ts';

const edited = (earlyEdits: NonNullable<HttpHandler['earlyEdits']>, handler: object = {}) =>
  simple({ handler: { earlyEdits, ...handler } });

describe('early edits', () => {
  it('are done one after the other, as each finds what was before it', async () => {
    const test = await edited([
      { add: [{ name: 'x-a', value: '2' }] },
      { setIfPresent: [{ name: 'x-a', value: '3' }] },
      {
        addIfAbsent: [
          { name: 'x-a', value: '4' },
          { name: 'X-B', value: '5' },
        ],
      },
      { remove: ['x-drop'] },
      { add: [{ name: 'x-drop', value: 'again' }] },
      { set: [{ name: 'x-where', value: '%REQ(:path)% 100%%', format: true }] },
    ]);
    await test.client().request({ path: '/p', headers: { 'x-a': '1', 'x-drop': 'once' } });
    const [request] = test.upstream('10.0.0.1:80').requests;
    expect(['x-a', 'x-b', 'x-drop', 'x-where'].map((name) => request?.headerAll(name))).toEqual([
      ['3'],
      ['5'],
      ['again'],
      ['/p 100%'],
    ]);
  });

  it('come before routes, filters, and what is believed of claims', async () => {
    let seen: string | undefined;
    const look = filter(
      'look',
      {
        requestHeaders({ request }) {
          seen = request.headers.get('x-early');
          return CONTINUE;
        },
      },
      { stage: 'before-route' },
    );
    const test = await edited(
      [
        { set: [{ name: 'x-early', value: 'yes' }] },
        { set: [{ name: 'x-forwarded-for', value: '9.9.9.9' }] },
      ],
      {
        filters: [look({})],
        routes: [
          route('/', 'api', { headers: [{ name: 'x-early', match: { kind: 'exact', value: 'yes' } }] }),
        ],
      },
    );
    expect((await test.client().request()).status).toBe(200);
    expect(seen).toBe('yes');
    expect(test.upstream('10.0.0.1:80').requests[0]?.header('x-forwarded-for')).not.toContain('9.9.9.9');
  });

  it('are done once where an answer leads the request elsewhere', async () => {
    const test = await simple({
      answer: ({ target }) => (target === '/a' ? { status: 302, headers: { location: 'http://x/b' } } : {}),
      forward: { internalRedirect: {} },
      handler: { earlyEdits: [{ add: [{ name: 'x-a', value: '1' }] }] },
    });
    expect((await test.client().request({ path: '/a' })).status).toBe(200);
    expect(test.upstream('10.0.0.1:80').requests.map(({ headerAll }) => headerAll('x-a'))).toEqual([
      ['1'],
      ['1'],
    ]);
  });

  it('of what frames messages are refused', async () => {
    await expect(edited([{ remove: ['x-a'] }, { remove: ['content-length', 'host'] }])).rejects.toMatchObject(
      {
        issues: [
          { path: '/listeners/0/filterChains/0/handler/earlyEdits/1/remove/0' },
          { path: '/listeners/0/filterChains/0/handler/earlyEdits/1/remove/1' },
        ],
      },
    );
  });
});
