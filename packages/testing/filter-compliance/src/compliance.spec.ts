import {
  CONTINUE,
  defineHttpFilter,
  type AnyHttpFilter,
  type ConfigSchema,
  type HttpFilterDefinition,
  type Verdict,
} from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
import { describe, expect, it } from 'vitest';
import { filterCompliance } from './index.ts';

interface Config {
  readonly word: string;
}

const config: ConfigSchema<Config> = jsonSchema<Config>({
  type: 'object',
  additionalProperties: false,
  required: ['word'],
  properties: { word: { type: 'string', description: 'A word.' } },
});

const GOOD: HttpFilterDefinition<Config, Partial<Config>, { seen: number }> = {
  apiVersion: 1,
  id: 'tulle-filter-good',
  summary: 'Sets a field.',
  config,
  effects: 'none',
  state: { create: () => ({ seen: 0 }), reset: (state) => void (state.seen = 0) },
  create: () => ({
    requestHeaders(stream, { word }, state) {
      state.seen += 1;
      stream.request.headers.set('x-word', word);
      return CONTINUE;
    },
  }),
};

/** Names of the cases that a filter fails. */
async function failures(change: Partial<typeof GOOD>): Promise<string[]> {
  const filter = defineHttpFilter({ ...GOOD, ...change }) as unknown as AnyHttpFilter;
  const failed: string[] = [];
  for (const { name, run } of filterCompliance({
    filter,
    validConfigs: [{ word: 'a' }],
    invalidConfigs: [{ config: { wrod: 1 }, pointers: ['', '/wrod'] }],
    requests: [{}],
  })) {
    await run().catch(() => failed.push(name));
  }
  return failed;
}

let global = 0;

const BAD: readonly (readonly [string, Partial<typeof GOOD>, RegExp])[] = [
  ['says nothing of itself', { summary: '' }, /says what it is/],
  [
    'waits after the end',
    {
      create: () => ({
        requestHeaders: () => CONTINUE,
        // What a filter in JavaScript may do.
        complete: (async () => {}) as never,
      }),
    },
    /complete and attemptEnd answer at once/,
  ],
  [
    'takes unknown fields',
    {
      config: jsonSchema<Config>({
        type: 'object',
        properties: { word: { type: 'string', description: 'A word.' } },
      }),
    },
    /refuses every unknown field/,
  ],
  [
    'describes no option',
    {
      config: jsonSchema<Config>({
        type: 'object',
        additionalProperties: false,
        required: ['word'],
        properties: { word: { type: 'string' } },
      }),
    },
    /describes every option/,
  ],
  [
    'has a hook that does not exist',
    { create: () => ({ onRequest: () => CONTINUE }) as never },
    /hooks are those of the contract/,
  ],
  [
    'throws',
    {
      create: () => ({
        requestHeaders: () => {
          throw new Error('no');
        },
      }),
    },
    /never throw/,
  ],
  [
    'waits for nothing',
    { create: () => ({ requestHeaders: async (): Promise<Verdict> => CONTINUE }) },
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
        requestHeaders(stream) {
          stream.request.headers.set('x-count', String((global += 1)));
          return CONTINUE;
        },
      }),
    },
    /no state is shared/,
  ],
  [
    'calls somebody else without saying so',
    {
      create: (host) => ({
        async requestHeaders(): Promise<Verdict> {
          await host.fetch({ url: 'http://10.0.2.1/', timeoutMs: 10, maxBodyBytes: 1 }).catch(() => {});
          return CONTINUE;
        },
      }),
    },
    /only with effects external/,
  ],
  [
    'remembers earlier requests and says it does not',
    {
      create: () => {
        let count = 0;
        return {
          requestHeaders: (stream) => ((count += 1) > 1 ? stream.reply(418, 'TULLE_LOCAL_REPLY') : CONTINUE),
        };
      },
    },
    /an earlier request changes nothing/,
  ],
];

describe('the suite', () => {
  it('passes a filter that complies', async () => {
    expect(await failures({})).toEqual([]);
  });

  it.each(BAD)('fails a filter that %s', async (_name, change, expected) => {
    const failed = await failures(change);
    expect(failed.join('\n')).toMatch(expected);
  });
});
