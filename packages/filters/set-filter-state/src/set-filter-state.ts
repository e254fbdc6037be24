import { hasCel, loadCelEngine } from '@tulle/cel';
import { CONTINUE, defineHttpFilter, type HttpFilter, putFilterState, TulleError } from '@tulle/filter';
import { parseIpPort } from '@tulle/match';
import {
  type FilterStateValue,
  SET_FILTER_STATE_FILTER,
  setFilterStateFilterSchema,
  type SetFilterStateConfig,
} from '@tulle/model';
import { compileText, type FormatIssue, type Render } from '@tulle/record-format';
import { jsonSchema } from '@tulle/schema';

/** Values are cut past this: what a caller sends must not decide how much a stream weighs. */
const MAX_VALUE_CHARS = 4_096;

/** One of the values, with what makes it. */
interface Compiled {
  readonly value: FilterStateValue;
  readonly render: Render;
}

/** Puts texts made of a request down under keys, for those that come after it. */
export const setFilterState: HttpFilter<SetFilterStateConfig> = defineHttpFilter<SetFilterStateConfig>({
  apiVersion: 1,
  id: SET_FILTER_STATE_FILTER,
  summary: 'Puts texts made of requests down under keys, for later filters, hashes and logs.',
  config: jsonSchema<SetFilterStateConfig>(setFilterStateFilterSchema),
  phase: 'transform',
  effects: 'none',
  async create(_host, { values }) {
    if (hasCel(values)) await loadCelEngine();
    const compiled = compile(values);
    return {
      requestHeaders(stream) {
        for (const { value, render } of compiled) {
          const text = stream.describe(render);
          if (text === '' && value.skipIfEmpty === true) continue;
          if (value.kind === 'address' && parseIpPort(text) === undefined) continue;
          putFilterState(stream, value.key, text, value.readOnly, value.shared);
        }
        return CONTINUE;
      },
    };
  },
});

/** @throws TulleError with every format that is none */
function compile(values: readonly FilterStateValue[]): readonly Compiled[] {
  const issues: { path: string; message: string }[] = [];
  const compiled = values.map((value, index): Compiled => {
    const faults: FormatIssue[] = [];
    const render = compileText(value.format, faults, {
      query: 'keep',
      maxFieldChars: MAX_VALUE_CHARS,
      omitEmpty: value.omitEmpty ?? false,
      valueText: (text) => text,
    });
    for (const { at, message } of faults)
      issues.push({ path: `/values/${index}/format`, message: `column ${at + 1}: ${message}` });
    return { value, render };
  });
  if (issues.length > 0)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `filter state: ${issues.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
      { issues },
    );
  return compiled;
}
