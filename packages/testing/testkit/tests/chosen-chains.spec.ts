import { CONTINUE, defineConnFilter, putFilterState } from '@tulle/filter';
import type { ChainChoice, ChainMatch } from '@tulle/model';
import { cluster, type CodeListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const to = (name: string): ChainChoice => ({ kind: 'chain', name });

/** Answers with its name. */
const chain = (name: string, match?: ChainMatch): CodeListener['filterChains'][number] => ({
  name,
  ...(match && { match }),
  handler: {
    kind: 'http',
    filters: [],
    routes: {
      name,
      virtualHosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            {
              name: 'all',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'direct', status: 200, body: name },
            },
          ],
        },
      ],
    },
  },
});

const listener = (chainChoice: ChainChoice, more: Partial<CodeListener> = {}): CodeListener => ({
  name: 'test',
  address: { host: '127.0.0.1', port: 8080 },
  filterChains: ['a', 'b', 'c'].map((name) => chain(name)),
  chainChoice,
  ...more,
});

const open = async (choice: ChainChoice, more: Partial<CodeListener> = {}): Promise<TestProxy> =>
  started({ listeners: [listener(choice, more)], clusters: [cluster('x', ['10.0.0.1:80'])] });

/** Name of the chain that takes a caller; `closed` where none does. */
async function chosen(test: TestProxy, host = '192.0.2.7'): Promise<string> {
  const connection = test.connect({ host });
  connection.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await connection.until(
    () => connection.closed || connection.ended || /\r\n\r\n./.test(connection.received),
    () => 'an answer or the end',
  );
  return /\r\n\r\n(.*)$/s.exec(connection.received)?.[1] ?? 'closed';
}

describe('a choice of chains', () => {
  it('goes by networks, from the narrowest to the widest that chooses something', async () => {
    const never: ChainChoice = { kind: 'exact', input: 'server-name', values: {} };
    const test = await open({
      kind: 'networks',
      input: 'source-ip',
      of: [
        { cidrs: ['192.0.0.0/16'], choose: to('a') },
        { cidrs: ['192.0.2.0/24', '2001:db8::/32'], choose: to('b') },
        { cidrs: ['192.0.2.64/26'], choose: never },
        { cidrs: ['192.0.3.0/24'], choose: to('c'), narrowestAlone: true },
        { cidrs: ['192.0.3.0/25'], choose: never },
      ],
    });
    const of = async (...hosts: string[]): Promise<string[]> =>
      Promise.all(hosts.map(async (host) => chosen(test, host)));
    expect(await of('192.0.9.1', '192.0.2.1', '192.0.2.65', '2001:db8::1', '::ffff:192.0.2.1')).toEqual([
      'a',
      'b',
      'b',
      'b',
      'b',
    ]);
    expect(await of('192.0.3.200', '192.0.3.1', '198.51.100.1', '2001:db9::1')).toEqual([
      'c',
      'a',
      'closed',
      'closed',
    ]);
  });

  it('goes by the longest prefix that chooses something, by conditions in order, and by what is left', async () => {
    const test = await open(
      {
        kind: 'prefix',
        input: 'source-ip',
        values: {
          '192.': to('a'),
          '192.0.2.7': {
            kind: 'list',
            of: [
              {
                when: {
                  kind: 'all',
                  of: [
                    { kind: 'input', input: 'destination-port', match: { kind: 'exact', value: '8080' } },
                    {
                      kind: 'not',
                      of: { kind: 'input', input: 'source-ip', match: { kind: 'regex', value: '.*7[01]' } },
                    },
                  ],
                },
                choose: to('b'),
              },
            ],
          },
        },
        otherwise: {
          kind: 'list',
          of: [
            {
              when: { kind: 'input', input: 'source-type', match: { kind: 'exact', value: 'local' } },
              choose: to('c'),
            },
          ],
        },
      },
      { defaultChain: 'b' },
    );
    expect(await chosen(test, '192.0.2.7')).toBe('b');
    expect(await chosen(test, '192.0.2.70')).toBe('a');
    expect(await chosen(test, '127.0.0.1')).toBe('c');
    expect(await chosen(test, '10.0.0.1')).toBe('b');
  });

  it('goes by what listener filters put down, and not by what is there without them', async () => {
    const puts = defineConnFilter<object>({
      apiVersion: 1,
      id: 'puts',
      config: {
        '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
        jsonSchema: {},
      },
      create: () => ({
        connect(connection) {
          putFilterState(connection, 'tenant', connection.remoteAddress.endsWith('.7') ? 'seven' : 'other');
          return CONTINUE;
        },
      }),
    });
    const test = await open(
      {
        kind: 'exact',
        input: { filterState: 'tenant' },
        values: { seven: to('a') },
        otherwise: { kind: 'exact', input: { filterState: 'constructor' }, values: {}, otherwise: to('c') },
      },
      { connectionFilters: [puts({}, { name: 'puts' })] },
    );
    expect([await chosen(test, '192.0.2.7'), await chosen(test, '192.0.2.8')]).toEqual(['a', 'c']);
  });

  it('looks at the first bytes where it asks for them', async () => {
    const test = await open({
      kind: 'exact',
      input: 'application-protocols',
      values: { "'http/1.1'": to('b') },
      otherwise: to('c'),
    });
    expect(await chosen(test)).toBe('b');
  });

  it('is changed without closing the connections of chains that stay', async () => {
    const test = await open(to('a'));
    const client = test.client();
    expect((await client.request()).body).toBe('a');
    const { config } = test.proxy;
    await test.proxy.update({
      ...config,
      version: '2',
      listeners: config.listeners.map((one) => ({ ...one, chainChoice: to('b') })),
    });
    expect((await client.request()).body).toBe('a');
    expect(await chosen(test)).toBe('b');
  });

  it.each<[string, ChainChoice, Partial<CodeListener>, RegExp]>([
    [
      'a chain that is not there',
      to('d'),
      {},
      /\/listeners\/0\/chainChoice\/name no filter chain is named "d"/,
    ],
    [
      'a default that is not there',
      to('a'),
      { defaultChain: 'd' },
      /\/listeners\/0\/defaultChain no filter chain/,
    ],
    [
      'chains that match',
      to('a'),
      { filterChains: [chain('a', { destinationPort: 1 })] },
      /\/filterChains\/0\/match must not be set/,
    ],
    [
      'what is no network',
      { kind: 'networks', input: 'source-ip', of: [{ cidrs: ['10.0.0.0/33'], choose: to('a') }] },
      {},
      /\/chainChoice\/of\/0\/cidrs\/0 .*no network/,
    ],
  ])('is refused with %s', async (_what, choice, more, message) => {
    await expect(open(choice, more)).rejects.toThrow(message);
  });
});
