import ts from 'typescript';
import { ERROR_TABLE, type ErrorCode } from '@tulle/filter';
import { openSource, packageOf, placeOf, walk } from './program.ts';
import { createEvaluator } from './evaluate.ts';

/** What the sources of a filter say beyond its definition. */
export interface FilterSource {
  readonly packageName: string;
  /** Hooks that it may have, in the order in which a stream meets them. */
  readonly hooks: readonly string[];
  /** Error codes that it names. */
  readonly codes: readonly ErrorCode[];
}

const HTTP_HOOKS = [
  'requestHeaders',
  'requestData',
  'requestTrailers',
  'responseHeaders',
  'responseData',
  'responseTrailers',
  'attemptEnd',
  'complete',
];

const CONN_HOOKS = ['connect', 'handshake', 'read', 'write', 'close'];

const DEFINE = /^define(Http|Conn)Filter$/;

/** The filters below `packages/filters`, by id. */
export function findFilterSources(): ReadonlyMap<string, FilterSource> {
  const { files, checker } = openSource();
  const evaluator = createEvaluator(files, checker);
  const own = files.filter((file) => placeOf(file).startsWith('packages/filters/'));
  const hooks = new Map<string, Set<string>>();
  const codes = new Map<string, Set<string>>();
  const ids = new Map<string, { readonly packageName: string; readonly hooks: readonly string[] }>();
  const note = (table: Map<string, Set<string>>, of: string, what: string): void => {
    const set = table.get(of);
    if (set === undefined) table.set(of, new Set([what]));
    else set.add(what);
  };
  for (const file of own) {
    const name = packageOf(file);
    for (const node of walk(file)) {
      if (
        ts.isObjectLiteralElementLike(node) &&
        node.name !== undefined &&
        [...HTTP_HOOKS, ...CONN_HOOKS].includes(node.name.getText())
      )
        note(hooks, name, node.name.getText());
      if (ts.isStringLiteralLike(node) && node.text in ERROR_TABLE) note(codes, name, node.text);
      if (!ts.isCallExpression(node)) continue;
      const [, kind] = DEFINE.exec(node.expression.getText()) ?? [];
      if (kind === undefined) continue;
      const [definition] = node.arguments;
      if (definition === undefined || !ts.isObjectLiteralExpression(definition)) continue;
      for (const property of definition.properties) {
        if (!ts.isPropertyAssignment(property) || property.name.getText() !== 'id') continue;
        const id = evaluator.rows([property.initializer], undefined)?.[0]?.texts[0];
        if (id !== undefined)
          ids.set(id, { packageName: name, hooks: kind === 'Conn' ? CONN_HOOKS : HTTP_HOOKS });
      }
    }
  }
  return new Map(
    [...ids].map(([id, { packageName, hooks: known }]) => [
      id,
      {
        packageName,
        hooks: known.filter((hook) => hooks.get(packageName)?.has(hook)),
        codes: (Object.keys(ERROR_TABLE) as ErrorCode[]).filter((code) => codes.get(packageName)?.has(code)),
      },
    ]),
  );
}
