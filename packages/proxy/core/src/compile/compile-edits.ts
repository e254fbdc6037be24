import { findInvalidName, findInvalidValue, knownNameId, LAST_FRAMING } from '@tulle/fields';
import type { RouteHeaderEdits, RouteHeaderValue } from '@tulle/model';
import { compilePlain, type Render } from '@tulle/record-format';
import type { CompiledEdits, DependingEdit } from './compiled.ts';
import type { Issues } from './issues.ts';

/** Compiles header edits; names and values are checked here, so that requests need no check. */
export function compileEdits(
  edits: RouteHeaderEdits | undefined,
  path: string,
  issues: Issues,
): CompiledEdits | undefined {
  if (edits === undefined) return undefined;
  const name = (value: string, at: string): string => {
    const lower = value.toLowerCase();
    const id = knownNameId(lower);
    if (findInvalidName(lower) >= 0)
      issues.add(at, `${JSON.stringify(value)} is no field name (RFC 9110 §5.6.2)`);
    else if (id !== 0 && id <= LAST_FRAMING)
      issues.add(
        at,
        `${JSON.stringify(value)} belongs to the framing of one hop and is written by the engine${lower === 'host' ? '; use rewrite.host' : ''}`,
      );
    return lower;
  };
  const depending: DependingEdit[] = [];
  const values = (
    list: readonly RouteHeaderValue[] | undefined,
    how: DependingEdit['how'],
    at: string,
  ): string[] => {
    // Lines of one name stay in the order of the list, so one that is made keeps those around it waiting.
    const waits = list?.some(({ format }) => format === true) === true;
    return (list ?? []).flatMap((one, index) => {
      const { value, format = false } = one;
      const lower = name(one.name, `${at}/${index}/name`);
      const render = format ? compileValue(value, `${at}/${index}/value`, issues) : undefined;
      if (!format && findInvalidValue(value) >= 0)
        issues.add(
          `${at}/${index}/value`,
          `${JSON.stringify(value)} has a character that no field value may have (RFC 9110 §5.5)`,
        );
      if (!waits && (how === 'set' || how === 'add')) return [lower, value];
      depending.push({ how, name: lower, value, render });
      return [];
    });
  };
  checkConditional(edits, path, issues);
  const compiled = {
    remove: (edits.remove ?? []).map((value, index) => name(value, `${path}/remove/${index}`)),
    set: values(edits.set, 'set', `${path}/set`),
    add: values(edits.add, 'add', `${path}/add`),
  };
  values(edits.setIfPresent, 'set-if-present', `${path}/setIfPresent`);
  values(edits.addIfAbsent, 'add-if-absent', `${path}/addIfAbsent`);
  return { ...compiled, depending: depending.length === 0 ? null : Object.freeze(depending) };
}

/** What is put on a condition stands in one list: else it would matter which is asked first. */
function checkConditional(edits: RouteHeaderEdits, path: string, issues: Issues): void {
  const lists = ['set', 'setIfPresent', 'add', 'addIfAbsent'] as const;
  for (const list of ['setIfPresent', 'addIfAbsent'] as const)
    for (const [index, { name }] of (edits[list] ?? []).entries()) {
      const other = lists.find(
        (one) =>
          one !== list &&
          edits[one]?.some((field) => field.name.toLowerCase() === name.toLowerCase()) === true,
      );
      if (other !== undefined)
        issues.add(`${path}/${list}/${index}/name`, `${JSON.stringify(name)} stands in ${other} too`);
    }
}

/** A text with operators; what it finds goes to the issues. @param omitEmpty nothing in the place of a value that is not there, else `-` */
export function compileValue(
  format: string,
  path: string,
  issues: Pick<Issues, 'add'>,
  omitEmpty = true,
): Render {
  return compilePlain(format, { omitEmpty }, (message) => issues.add(path, message));
}
