import { hasCel, loadCelEngine } from '@tulle/cel';
import { type HoldsSlots, putFilterState, TulleError } from '@tulle/filter';
import { parseIpPort } from '@tulle/match';
import type { FilterStateValue } from '@tulle/model';
import { compileText, type FormatIssue, type Render } from '@tulle/record-format';

/** Values are cut past this: what a caller sends must not decide how much a stream weighs. */
const MAX_VALUE_CHARS = 4_096;

/** One of the values, with what makes it. */
export interface CompiledValue {
  readonly value: FilterStateValue;
  readonly render: Render;
}

/** Something that values are put down about. */
export interface Described extends HoldsSlots {
  describe(render: (record: never) => string): string;
}

/** @throws TulleError with every format that is none */
export async function compileValues(values: readonly FilterStateValue[]): Promise<readonly CompiledValue[]> {
  if (hasCel(values)) await loadCelEngine();
  return compile(values);
}

/** One after the other. */
export function putValues(of: Described, compiled: readonly CompiledValue[]): void {
  for (const { value, render } of compiled) {
    const text = of.describe(render);
    if (text === '' && value.skipIfEmpty === true) continue;
    if (value.kind === 'address' && parseIpPort(text) === undefined) continue;
    putFilterState(of, value.key, text, value.readOnly, value.shared);
  }
}

function compile(values: readonly FilterStateValue[]): readonly CompiledValue[] {
  const issues: { path: string; message: string }[] = [];
  const compiled = values.map((value, index): CompiledValue => {
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
