import type { Json } from '../configuration.ts';

/** Expressions of CEL as they come parsed (`google.api.expr.v1alpha1.Expr`, and CEL's own of the same words). */

export const name = (text: string): Json => ({ ident_expr: { name: text } });
export const text = (value: string): Json => ({ const_expr: { string_value: value } });
export const number = (value: number): Json => ({ const_expr: { int64_value: String(value) } });
export const list = (...elements: readonly Json[]): Json => ({ list_expr: { elements } });
/** @param target of a method */
export function call(called: string, args: readonly Json[], target?: Json): Json {
  return { call_expr: { function: called, args, ...(target !== undefined && { target }) } };
}

/** `request.headers` and its like. */
export function attribute(path: string): Json {
  const [first = '', ...fields] = path.split('.');
  return fields.reduce<Json>((operand, field) => ({ select_expr: { operand, field } }), name(first));
}

/** Numbers every part, as a parser does. */
export function numbered(expr: Json): Json {
  let id = 0;
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const isPart = Object.keys(value).some((key) => key.endsWith('_expr'));
    const own = isPart ? { id: String(++id) } : {};
    return {
      ...own,
      ...Object.fromEntries(Object.entries(value).map(([key, part]) => [key, walk(part)] as const)),
    };
  };
  return walk(expr) as Json;
}
