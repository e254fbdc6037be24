import { proxyConfigSchema, type JsonSchema } from '@tulle/model';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { openSource, placeOf, walk } from './source/program.ts';

/** Differences between a type and the schema that is said to describe it; empty when each says the same fields and values. */
function differences(
  type: ts.Type,
  schema: JsonSchema,
  path: string,
  checker: ts.TypeChecker,
  inside: ReadonlySet<ts.Type> = new Set(),
): string[] {
  const found: string[] = [];
  const compare = (given: ts.Type, said: JsonSchema, at: string): void => {
    const node = referredTo(said);
    const whole = checker.getNonNullableType(given);
    if (inside.has(whole)) return; // of a type that holds itself the first level is compared
    if (Object.keys(node).length === 0) return; // judged elsewhere
    const alternatives = node['anyOf'] as readonly JsonSchema[] | undefined;
    const parts = whole.isUnion() && !(whole.flags & ts.TypeFlags.Boolean) ? whole.types : [whole];
    const literals = parts.filter((part) => part.isLiteral());
    const values: readonly unknown[] =
      (node['enum'] as readonly unknown[] | undefined) ?? ('const' in node ? [node['const']] : []);
    if (alternatives !== undefined) {
      const objects = parts.filter((part) => !part.isLiteral());
      if (alternatives.length !== parts.length)
        return void found.push(`${at}: ${parts.length} alternatives, the schema has ${alternatives.length}`);
      for (const part of objects) {
        const near = alternatives
          .map((one) => differences(part, one, at, checker, new Set([...inside, whole])))
          .toSorted((a, b) => a.length - b.length);
        found.push(...(near[0] ?? []));
      }
      return;
    }
    if (literals.length === parts.length) {
      const words = (list: readonly unknown[]): string => JSON.stringify(list.map(String).toSorted(byText));
      const allowed = words(literals.map((part) => part.value));
      if (allowed !== words(values)) found.push(`${at}: is ${allowed}, the schema says ${words(values)}`);
      return;
    }
    if (whole.flags & ts.TypeFlags.BooleanLiteral && 'const' in node) {
      const word = String(node['const']);
      if (word !== checker.typeToString(whole))
        found.push(`${at}: is ${checker.typeToString(whole)}, the schema says ${word}`);
      return;
    }
    const element = checker.getIndexTypeOfType(whole, ts.IndexKind.Number);
    if (element !== undefined && node['type'] === 'array')
      return compare(element, (node['items'] as JsonSchema | undefined) ?? {}, `${at}[]`);
    if (node['type'] === 'object') return compareFields(whole, node, at);
    const simple =
      whole.flags & ts.TypeFlags.StringLike
        ? ['string']
        : whole.flags & ts.TypeFlags.NumberLike
          ? ['number', 'integer']
          : whole.flags & ts.TypeFlags.BooleanLike
            ? ['boolean']
            : [];
    if (!simple.includes(node['type'] as string))
      found.push(`${at}: is ${checker.typeToString(whole)}, the schema says ${String(node['type'])}`);
  };
  const compareFields = (whole: ts.Type, node: JsonSchema, at: string): void => {
    if (node['properties'] === undefined) return; // a map
    const properties = node['properties'] as Readonly<Record<string, JsonSchema>>;
    const required = (node['required'] as readonly string[] | undefined) ?? [];
    const fields = new Map(whole.getProperties().map((field) => [field.name, field]));
    for (const name of Object.keys(properties))
      if (!fields.has(name)) found.push(`${at}.${name}: is in the schema only`);
    for (const [name, field] of fields) {
      const part = properties[name];
      if (part === undefined) {
        found.push(`${at}.${name}: is in the type only`);
        continue;
      }
      const fieldType = checker.getTypeOfSymbol(field);
      const open = (fieldType.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0;
      const optional = (field.flags & ts.SymbolFlags.Optional) !== 0 || open;
      if (optional === required.includes(name))
        found.push(`${at}.${name}: is ${optional ? 'optional' : 'required'} in the type only`);
      if (!open) compare(fieldType, part, `${at}.${name}`);
    }
  };
  compare(type, schema, path);
  return found;
}

/** What a reference to one of the schema's definitions stands for. */
function referredTo(node: JsonSchema): JsonSchema {
  const reference = node['$ref'];
  if (typeof reference !== 'string') return node;
  const definitions = proxyConfigSchema['$defs'] as Readonly<Record<string, JsonSchema>>;
  return definitions[reference.replace('#/$defs/', '')] ?? { type: reference };
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

describe("the model's JSON Schema", () => {
  it('has the fields, kinds and words of the model’s types, no more and no less', () => {
    const { files, checker } = openSource();
    const file = files.find((one) => placeOf(one) === 'packages/contracts/model/src/proxy-config.ts');
    const declaration = [...walk(file as ts.SourceFile)].find(
      (node) => ts.isInterfaceDeclaration(node) && node.name.text === 'ProxyConfig',
    );
    const type = checker.getTypeAtLocation(declaration as ts.Node);
    expect(differences(type, proxyConfigSchema, 'ProxyConfig', checker)).toEqual([]);
    // The comparison itself is no empty one.
    const { properties } = proxyConfigSchema as { properties: Record<string, JsonSchema> };
    expect(
      differences(type, { ...proxyConfigSchema, properties: { ...properties, extra: {} } }, 'P', checker),
    ).toEqual(['P.extra: is in the schema only']);
    const wrong = { type: 'array', items: { type: 'object', properties: { name: { type: 'number' } } } };
    expect(
      differences(
        type,
        { ...proxyConfigSchema, properties: { ...properties, endpoints: wrong } },
        'P',
        checker,
      ),
    ).toHaveLength(4);
  }, 120_000);
});
