import { CONTINUE, defineHttpFilter, FILTER_STATE, putFilterState } from '@tulle/filter';
import { runChain, type ChainRun } from '@tulle/testkit';
import { expect } from 'vitest';

/** The filter state that a request finds at the end of its chain, when it has put `own` down itself. */
export async function stateFound(
  run: Pick<ChainRun, 'filters' | 'connectionFilters' | 'request' | 'caller'>,
  own: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>> | undefined> {
  let state: Readonly<Record<string, string>> | undefined;
  const looks = defineHttpFilter<object>({
    apiVersion: 1,
    id: 'looks',
    config: {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
      jsonSchema: {},
    },
    create: () => ({
      requestHeaders(stream) {
        for (const [key, value] of Object.entries(own)) putFilterState(stream, key, value);
        state = stream.get(FILTER_STATE);
        return CONTINUE;
      },
    }),
  });
  const { response } = await runChain({ ...run, filters: [...run.filters, looks({})] });
  expect(response?.status).toBe(200);
  return state && { ...state };
}
