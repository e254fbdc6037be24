import { create, fromJson, type JsonObject, toJson } from '@bufbuild/protobuf';
import { parse } from '@bufbuild/cel';

import { PolicySchema } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { type Expr, ExprSchema } from '@tulle/xds-proto/google/api/expr/v1alpha1/syntax';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DecodeContext } from '../context.ts';
import { decodeCondition, textOf } from './condition.ts';

const exprOf = (json: JsonObject): Expr => fromJson(ExprSchema, json);
const ident = (name: string): JsonObject => ({ identExpr: { name } });
const select = (operand: JsonObject, field: string, testOnly = false): JsonObject => ({
  selectExpr: { operand, field, testOnly },
});
const constant = (value: JsonObject): JsonObject => ({ constExpr: value });
const call = (name: string, args: JsonObject[], target?: JsonObject): JsonObject => ({
  callExpr: { function: name, args, ...(target && { target }) },
});

/** Without what only says where a part stood. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
  if (value instanceof Uint8Array) return [...value];
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !['id', '$typeName', 'optionalIndices', 'optionalEntry'].includes(key))
      .map(([key, part]) => [key, bare(part)] as const),
  );
}

const name = fc.constantFrom('request', 'a', '_b1', 'Size');
const text = fc.string({ unit: 'grapheme', maxLength: 8 });
const { expr } = fc.letrec<{ expr: JsonObject }>((tie) => ({
  expr: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'expr' },
    name.map(ident),
    text.map((stringValue) => constant({ stringValue })),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((n) => constant({ int64Value: String(n) })),
    fc.bigInt(0n, 2n ** 64n - 1n).map((n) => constant({ uint64Value: String(n) })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((doubleValue) => constant({ doubleValue })),
    fc.boolean().map((boolValue) => constant({ boolValue })),
    fc.constant(constant({ nullValue: null })),
    fc
      .uint8Array({ maxLength: 5 })
      .map((bytes) => constant({ bytesValue: Buffer.from(bytes).toString('base64') })),
    fc.tuple(tie('expr'), name, fc.boolean()).map(([operand, field, test]) => select(operand, field, test)),
    fc
      .tuple(
        fc.constantFrom('_&&_', '_||_', '_==_', '_<_', '_+_', '_%_', '@in', '_[_]'),
        tie('expr'),
        tie('expr'),
      )
      .map(([operator, a, b]) => call(operator, [a, b])),
    fc.tuple(tie('expr'), tie('expr'), tie('expr')).map((args) => call('_?_:_', args)),
    // Of a number it is part of the number.
    fc.tuple(fc.constantFrom('!_', '-_'), name.map(ident)).map(([operator, a]) => call(operator, [a])),
    fc
      .tuple(tie('expr'), fc.array(tie('expr'), { maxLength: 2 }))
      .map(([target, args]) => call('startsWith', args, target)),
    fc.array(tie('expr'), { maxLength: 3 }).map((elements) => ({ listExpr: { elements } })),
    fc.array(fc.tuple(text, tie('expr')), { maxLength: 2 }).map((entries) => ({
      structExpr: {
        entries: entries.map(([key, value]) => ({ mapKey: constant({ stringValue: key }), value })),
      },
    })),
  ),
}));

describe('a condition', () => {
  it('is said by a text that parses to the same', () => {
    fc.assert(
      fc.property(expr, (json) => {
        const given = exprOf(json);
        expect(bare(parse(textOf(given)).expr)).toEqual(bare(given));
      }),
      { numRuns: 300 },
    );
  });

  const refusals = (json: JsonObject): { readonly refused: string[]; readonly decoded: unknown } => {
    const refused: string[] = [];
    const context = { refuse: (path: string, message: string) => void refused.push(`${path} ${message}`) };
    const policy = fromJson(PolicySchema, json);
    return { decoded: decodeCondition(context as DecodeContext, policy, 'p'), refused };
  };

  it('is there or not', () => {
    expect(refusals({})).toEqual({ refused: [], decoded: undefined });
    const condition = call('_==_', [select(ident('request'), 'method'), constant({ stringValue: 'G"T' })]);
    const decoded = { cel: '(request.method == "G\\"T")' };
    expect(refusals({ condition })).toEqual({ refused: [], decoded });
    // Checked, with what its parts mean: names may be whole there.
    expect(
      refusals({
        checkedCondition: {
          expr: condition,
          typeMap: { 1: { primitive: 'BOOL' } },
          sourceInfo: { location: 'x' },
        },
      }),
    ).toEqual({ refused: [], decoded });
  });

  it.each<[JsonObject, RegExp]>([
    [
      { condition: ident('a'), checkedCondition: { expr: ident('a') } },
      /^p\.checked_condition must not be set/,
    ],
    [{ checkedCondition: {} }, /^p\.checked_condition\.expr is missing/],
    [{ condition: {} }, /^p\.condition has a part that says nothing/],
    [{ condition: ident('a b') }, /"a b", which is no name/],
    [{ condition: call('a b', []) }, /"a b", which is no function/],
    [{ condition: call('_==_', [ident('a'), call('x', [{}])]) }, /says nothing/],
    [{ condition: constant({ durationValue: '1s' }) }, /durationValue; give duration/],
    [{ condition: { structExpr: { messageName: 'a.B' } } }, /makes a a\.B/],
    [{ condition: { comprehensionExpr: { iterVar: 'x' } } }, /has a comprehension .* which is refused/],
    [{ condition: select(ident('a'), 'b-c', true) }, /"b-c", which is no name/],
  ])('%j is refused', (json, message) => {
    expect(refusals(json).refused).toEqual([expect.stringMatching(message)]);
  });

  it('that is nested without end is refused, not run into', () => {
    let deep = create(ExprSchema, { exprKind: { case: 'identExpr', value: { name: 'a' } } });
    for (let i = 0; i < 5_000; i++)
      deep = create(ExprSchema, { exprKind: { case: 'selectExpr', value: { operand: deep, field: 'a' } } });
    expect(() => textOf(deep)).toThrow(/nested deeper than 64/);
    expect(toJson(ExprSchema, exprOf(ident('a')))).toEqual(ident('a'));
  });
});
