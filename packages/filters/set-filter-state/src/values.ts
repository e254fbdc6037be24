import { hasCel, loadCelEngine } from '@tulle/cel';
import { type HoldsSlots, putFilterState, TulleError } from '@tulle/filter';
import { parseIpPort } from '@tulle/match';
import type { FilterStateValue } from '@tulle/model';
import { compilePlain, type Render } from '@tulle/record-format';

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
    const render = compilePlain(value.format, { omitEmpty: value.omitEmpty ?? false }, (message) =>
      issues.push({ path: `/values/${index}/format`, message }),
    );
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
