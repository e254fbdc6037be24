import {
  CONTINUE,
  defineConnFilter,
  type AnyConnFilter,
  type ConfigSchema,
  type ConnFilterDefinition,
  type Verdict,
} from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
import { describe, expect, it } from 'vitest';
import { connFilterCompliance } from './index.ts';

interface Config {
  readonly host: string;
}

const config: ConfigSchema<Config> = jsonSchema<Config>({
  type: 'object',
  additionalProperties: false,
  required: ['host'],
  properties: { host: { type: 'string', description: 'Who is refused.' } },
});

const GOOD: ConnFilterDefinition<Config, { seen: number }> = {
  apiVersion: 1,
  id: 'tulle-filter-good',
  summary: 'Refuses one host.',
  config,
  effects: 'none',
  state: { create: () => ({ seen: 0 }), reset: (state) => void (state.seen = 0) },
  create: () => ({
    connect(connection, { host }, state) {
      state.seen += 1;
      return connection.remoteAddress === host ? connection.close('X_REFUSED') : CONTINUE;
    },
    read: () => CONTINUE,
  }),
};

/** Names of the cases that a filter fails. */
async function failures(change: Partial<typeof GOOD>): Promise<string[]> {
  const filter = defineConnFilter({ ...GOOD, ...change }) as unknown as AnyConnFilter;
  const failed: string[] = [];
  for (const { name, run } of connFilterCompliance({
    filter,
    validConfigs: [{ host: '192.0.2.77' }],
    invalidConfigs: [{ config: { hots: 1 }, pointers: ['', '/hots'] }],
  })) {
    await run().catch(() => failed.push(name));
  }
  return failed;
}

let global = 0;

const BAD: readonly (readonly [string, Partial<typeof GOOD>, RegExp])[] = [
  ['says nothing of itself', { summary: '' }, /says what it is/],
  [
    'has a hook that does not exist',
    { create: () => ({ onConnect: () => CONTINUE }) as never },
    /those of the contract/,
  ],
  ['does nothing', { create: () => ({}) }, /does something/],
  [
    'throws',
    {
      create: () => ({
        connect: () => {
          throw new Error('no');
        },
      }),
    },
    /never throw/,
  ],
  [
    'waits for nothing',
    { create: () => ({ connect: async (): Promise<Verdict> => CONTINUE }) },
    /answers synchronously/,
  ],
  [
    'leaves its state dirty',
    { state: { create: () => ({ seen: 0 }), reset: () => {} } },
    /as new after its reset/,
  ],
  [
    'shares state between instances',
    {
      create: () => ({
        connect: (connection) => ((global += 1) % 5 === 0 ? connection.close('X') : CONTINUE),
      }),
    },
    /no state is shared/,
  ],
  [
    'remembers earlier connections and says it does not',
    {
      create: () => {
        let count = 0;
        return { connect: (connection) => ((count += 1) > 1 ? connection.close('X') : CONTINUE) };
      },
    },
    /an earlier connection changes nothing/,
  ],
  [
    'changes the bytes it was lent',
    {
      create: () => ({
        read(_connection, _config, _state, bytes) {
          bytes.fill(0x2a);
          return CONTINUE;
        },
      }),
    },
    /bytes that it lets pass/,
  ],
  [
    'calls somebody else without saying so',
    {
      create: (host) => ({
        async connect(): Promise<Verdict> {
          await host.fetch({ url: 'http://10.0.2.1/', timeoutMs: 10, maxBodyBytes: 1 }).catch(() => {});
          return CONTINUE;
        },
      }),
    },
    /only with effects external/,
  ],
];

describe('the suite of connection filters', () => {
  it('passes a filter that complies', async () => {
    expect(await failures({})).toEqual([]);
  });

  it.each(BAD)('fails a filter that %s', async (_name, change, expected) => {
    expect((await failures(change)).join('\n')).toMatch(expected);
  });
});
