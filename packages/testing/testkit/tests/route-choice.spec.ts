import type { ChoiceCondition, RouteChoice } from '@tulle/model';
import { httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const says = (name: string, path = '/') => route(path, { kind: 'direct', status: 200, body: name }, { name });
const at = (...routes: number[]): RouteChoice => ({ kind: 'routes', routes });
const field = (name: string, value: string, kind: 'exact' | 'prefix' = 'exact'): ChoiceCondition => ({
  kind: 'header',
  header: { name, match: { kind, value } },
});

async function choosing(
  choice: RouteChoice,
  ...names: readonly (string | readonly [string, string])[]
): Promise<TestProxy> {
  const routes = names.map((name) => (typeof name === 'string' ? says(name) : says(...name)));
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: { virtualHosts: [{ name: 'v', domains: ['*'], routes, choice }] },
      }),
    ],
    clusters: [],
  });
}

const ask = async (
  test: TestProxy,
  headers: Readonly<Record<string, string>> = {},
  path = '/',
): Promise<string> => {
  const { status, body } = await test.client().request({ path, headers });
  return status === 200 ? body : String(status);
};

describe('a virtual host that chooses among its routes', () => {
  it('takes what stands behind the first condition that holds', async () => {
    const choice: RouteChoice = {
      kind: 'list',
      of: [
        { when: { kind: 'all', of: [field('a', '1'), field('b', '1')] }, choose: at(0) },
        { when: { kind: 'any', of: [field('a', '1'), field('b', '2')] }, choose: at(1) },
        { when: { kind: 'not', of: field('a', '3', 'prefix') }, choose: at(2) },
      ],
    };
    const test = await choosing(choice, 'both', 'either', 'neither');
    expect(await ask(test, { a: '1', b: '1' })).toBe('both');
    expect(await ask(test, { a: '1' })).toBe('either');
    expect(await ask(test, { b: '2', a: '33' })).toBe('either');
    expect(await ask(test)).toBe('neither');
    expect(await ask(test, { a: '33' })).toBe('404');
  });

  it('goes on where a part chooses nothing, and to nothing else where it chose', async () => {
    const choice: RouteChoice = {
      kind: 'list',
      of: [
        { when: field('a', '1'), choose: { kind: 'exact', header: 'b', values: { x: at(0) } } },
        { when: field('a', '1'), choose: at(1) },
      ],
      otherwise: at(2, 3),
    };
    const test = await choosing(
      choice,
      ['inner', '/inner'],
      'second',
      ['third', '/third'],
      ['rest', '/rest'],
    );
    expect(await ask(test, { a: '1', b: 'x' }, '/inner')).toBe('inner');
    expect(await ask(test, { a: '1', b: 'x' }, '/other')).toBe('404');
    expect(await ask(test, { a: '1', b: 'y' }, '/inner')).toBe('second');
    expect(await ask(test, {}, '/third')).toBe('third');
    expect(await ask(test, {}, '/rest')).toBe('rest');
    expect(await ask(test, {}, '/inner')).toBe('404');
  });

  it('finds what stands under the longest beginning, then under shorter ones', async () => {
    const choice: RouteChoice = {
      kind: 'prefix',
      header: ':path',
      values: { '/a': at(0), '/ab': { kind: 'exact', header: 'b', values: { x: at(1) } }, '/ab~/': at(2) },
      otherwise: at(3),
    };
    const test = await choosing(choice, 'short', 'long', 'longest', 'none');
    expect(await ask(test, { b: 'x' }, '/abc')).toBe('long');
    expect(await ask(test, { b: 'y' }, '/abc')).toBe('short');
    expect(await ask(test, {}, '/ab~/')).toBe('longest');
    expect(await ask(test, {}, '/b')).toBe('none');
  });

  it('tries the chosen ones in their order, however many there are', async () => {
    const places = Array.from({ length: 14 }, (_, place) => place).toReversed();
    const names = places.map((place) => `r${place}`).toReversed();
    const test = await choosing(at(...places), ...names.slice(0, -1), ['exact', '=/']);
    expect(await ask(test)).toBe('exact');
  });

  it('has a pattern among its conditions where it says so', async () => {
    const when: ChoiceCondition = {
      kind: 'header',
      header: { name: 'a', match: { kind: 'regex', value: 'x+' } },
    };
    const test = await choosing({ kind: 'list', of: [{ when, choose: at(0) }] }, 'match');
    expect(await ask(test, { a: 'xxx' })).toBe('match');
    expect(await ask(test, { a: 'xy' })).toBe('404');
  });

  it('is refused where there is no such route, or a condition is none', async () => {
    const choice: RouteChoice = {
      kind: 'list',
      of: [
        { when: { kind: 'header', header: { name: ':nothing', match: { kind: 'present' } } }, choose: at(1) },
      ],
      otherwise: { kind: 'exact', header: 'a', values: { 'x/y': at(0, 2) } },
    };
    const here = '/listeners/0/filterChains/0/handler/routes/virtualHosts/0/choice';
    await expect(choosing(choice, 'only')).rejects.toMatchObject({
      issues: [
        { path: `${here}/of/0/when/header/name` },
        { path: `${here}/of/0/choose/routes/0` },
        { path: `${here}/otherwise/values/x~1y/routes/1` },
      ],
    });
    const list: RouteChoice = { kind: 'list', of: [{ when: { kind: 'xor' } as never, choose: at(0) }] };
    await expect(choosing(list, 'only')).rejects.toMatchObject({
      issues: [{ path: expect.stringMatching(/\/choice/) as unknown }],
    });
  });
});
