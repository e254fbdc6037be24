import type { AuthzMetadataTest, AuthzValueTest } from '@tulle/model';
import type { CompileContext } from './compile-context.ts';
import { compileStringMatch } from './value-match.ts';

/** A compiled condition on what filters found out. @param metadata values by namespace; `undefined` for none */
export type MetadataTest = (metadata: Readonly<Record<string, unknown>> | undefined) => boolean;

/** Compiles a condition on metadata: what nobody has said is no value, which matches when inverted. @param path JSON pointer of it */
export function compileMetadataMatch(
  { namespace, path: way, value, invert = false }: AuthzMetadataTest,
  context: CompileContext,
  path: string,
): MetadataTest {
  const test = compileValue(value, context, `${path}/value`);
  const full = [namespace, ...way];
  return (metadata) => test(within(metadata, full)) !== invert;
}

function within(metadata: unknown, way: readonly string[]): unknown {
  let value = metadata;
  for (const name of way) {
    // Names come from outside: the prototype has none of them.
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

type ValueTest = (value: unknown) => boolean;

function compileValue(test: AuthzValueTest, context: CompileContext, path: string): ValueTest {
  if ('text' in test) {
    const matches = compileStringMatch(test.text, context, `${path}/text`);
    return (value) => typeof value === 'string' && matches(value);
  }
  if ('number' in test) {
    const { number } = test;
    if ('exact' in number) return (value) => value === number.exact;
    // The end is not within (`DoubleRange`).
    return (value) => typeof value === 'number' && value >= number.first && value < number.last;
  }
  if ('truth' in test) return (value) => value === test.truth;
  if ('nothing' in test) return (value) => value === null;
  if ('present' in test) return (value) => value !== undefined;
  if ('element' in test) {
    const matches = compileValue(test.element, context, `${path}/element`);
    return (value) => Array.isArray(value) && value.some(matches);
  }
  const parts = test.anyOf.map((one, index) => compileValue(one, context, `${path}/anyOf/${index}`));
  return (value) => parts.some((part) => part(value));
}
