import { isTulleError } from '@tulle/filter';
import {
  authzFilterSchema,
  faultFilterSchema,
  headersFilterSchema,
  rateLimitFilterSchema,
  retryFilterSchema,
} from '@tulle/model';
import fc from 'fast-check';
import { Compile } from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { findIssues, issuePointer, jsonSchema, optionTable, type OwnRule } from './index.ts';

function issuesOf(schema: Record<string, unknown>, value: unknown): string[] {
  const result = jsonSchema(schema)['~standard'].validate(value);
  return (result.issues ?? []).map((issue) => `${issuePointer(issue.path)}: ${issue.message}`);
}

function outputOf(schema: Record<string, unknown>, value: unknown, defaults = true): unknown {
  const result = jsonSchema(schema, { defaults })['~standard'].validate(value);
  if (result.issues !== undefined) throw new Error(JSON.stringify(result.issues));
  return result.value;
}

describe('issues', () => {
  it('are all reported at once, however many there are, with paths, found and expected values', () => {
    const issues = issuesOf(rateLimitFilterSchema, {
      limits: [
        { name: '', requests: 0, by: ['identiti', { heder: 'a' }, 5] },
        { requets: 5, name: 'b' },
        { name: 'c', requests: 'many', maxKeys: 1.5, intervalMs: 1 },
        7,
      ],
      limit: [],
    });
    expect(issues).toEqual([
      '/limits/0/name: must not be empty',
      '/limits/0/requests: must be more than 0, not 0',
      '/limits/0/by/0: must be "identity", "address" or an object with "header", not the string "identiti"; did you mean "identity"?',
      '/limits/0/by/1: "header" is missing',
      '/limits/0/by/1/heder: unknown field "heder"; did you mean "header"?',
      '/limits/0/by/2: must be "identity", "address" or an object with "header", not the number 5',
      '/limits/1: "requests" is missing (Requests allowed each interval)',
      '/limits/1/requets: unknown field "requets"; did you mean "requests"?',
      '/limits/2/requests: must be a number, not the string "many" (Requests allowed each interval)',
      '/limits/2/maxKeys: must be a whole number, not the number 1.5 (Buckets kept at most)',
      '/limits/2/intervalMs: must be at least 10, not 1',
      '/limits/3: must be an object, not the number 7',
      '/limit: unknown field "limit"; did you mean "limits"?',
    ]);
  });

  it('of alternatives that a field tells apart are those of the one that it names, or name them all', () => {
    const schema = {
      anyOf: [
        {
          type: 'object',
          required: ['kind', 'a'],
          properties: { kind: { const: 'one' }, a: { type: 'number' } },
        },
        { type: 'object', required: ['kind'], properties: { kind: { enum: ['two', 'three'] }, b: {} } },
      ],
    };
    expect(issuesOf(schema, { kind: 'one' })).toEqual([': "a" is missing']);
    expect(issuesOf(schema, { kind: 'tree', a: 'x' })).toEqual([
      '/kind: must be "one", "two" or "three", not the string "tree"; did you mean "three"?',
    ]);
    expect(issuesOf(schema, { kind: 'three' })).toEqual([]);
    expect(issuesOf(schema, {})).toHaveLength(1);
  });

  it('of alternatives are those of the one that was meant', () => {
    const match = (value: unknown): unknown => ({
      policies: [{ name: 'n', action: 'ALLOW', rules: [{ to: { headers: [{ name: 'x', match: value }] } }] }],
    });
    expect(issuesOf(authzFilterSchema, match({ kind: 'exact' }))).toEqual([
      '/policies/0/rules/0/to/headers/0/match: "value" is missing',
    ]);
    expect(issuesOf(authzFilterSchema, match({ kind: 'present', value: 'x' }))).toEqual([
      '/policies/0/rules/0/to/headers/0/match/value: unknown field "value"; fields here: kind',
    ]);
  });

  it('of an object of alternatives are those of the one whose field is there, however many it has inside', () => {
    const part = (name: string): object => ({
      type: 'object',
      additionalProperties: false,
      required: [name],
      properties: {
        [name]: {
          type: 'object',
          additionalProperties: false,
          required: ['url'],
          properties: { url: { type: 'string' }, how: { enum: ['a', 'b'] } },
        },
      },
    });
    const schema = { anyOf: [part('http'), part('grpc')] };
    for (const name of ['http', 'grpc'])
      expect(
        issuesOf(schema, { [name]: { ulr: 'x', how: 'c' } }).map((issue) => issue.split(':')[0]),
      ).toEqual([`/${name}`, `/${name}/ulr`, `/${name}/how`]);
  });

  it('name the value that was probably meant', () => {
    expect(issuesOf(authzFilterSchema, { defaultAction: 'Alow', policies: [] })).toEqual([
      '/defaultAction: must be "allow" or "deny", not the string "Alow"; did you mean "allow"?',
    ]);
  });

  it('escape pointers and point at names of unknown fields', () => {
    const result = jsonSchema({ type: 'object', additionalProperties: false, properties: {} })[
      '~standard'
    ].validate({ 'a/b~c': 1 });
    expect(result.issues).toMatchObject([
      { path: ['a/b~c'], message: 'unknown field "a/b~c"; there are no fields here', atKey: true },
    ]);
    expect(issuePointer(result.issues?.[0]?.path)).toBe('/a~1b~0c');
    expect(issuePointer([{ key: 'x' }, 3])).toBe('/x/3');
  });

  it('tell by kind of fault, and apart from the way out', () => {
    const schema = {
      type: 'object',
      additionalProperties: false,
      properties: {
        port: { type: 'integer', minimum: 1, maximum: 9, description: 'A port.' },
        name: { enum: ['ab'] },
      },
      required: ['port'],
    };
    const told = (value: unknown) =>
      findIssues(schema, value).map(({ fault, what, hint }) => [fault, what, hint ?? '']);
    expect(told({ prot: 1, name: 'ba' })).toEqual([
      ['missing', '"port" is missing', 'A port.'],
      ['unknown', 'unknown field "prot"', 'did you mean "port"?'],
      ['value', 'must be "ab", not the string "ba"', 'did you mean "ab"?'],
    ]);
    expect(told({ port: 10 })).toEqual([['range', 'must be between 1 and 9, not 10', '']]);
    expect(told({ port: 'x' })[0]?.[0]).toBe('type');
    expect(told({ port: 1, prot: 2 })[0]?.[2]).toBe('did you mean "port"?'); // although that is there
  });

  it('follow a rule of the caller before the keywords, which never offers what it refuses', () => {
    const schema = {
      type: 'object',
      additionalProperties: false,
      properties: { old: { 'x-gone': 'use new', type: 'string' }, new: { type: 'string' } },
    };
    jsonSchema(schema); // an annotation x-… is not refused
    const rule: OwnRule = (node) =>
      'x-gone' in node
        ? { fault: 'own', what: 'is gone', hint: String(node['x-gone']), atKey: true }
        : undefined;
    expect(findIssues(schema, { old: 5, odl: 1 }, rule)).toMatchObject([
      { path: ['old'], fault: 'own', message: 'is gone (use new)', atKey: true },
      { path: ['odl'], message: 'unknown field "odl"; fields here: new' },
    ]);
  });

  it('end where a value is nested without end', () => {
    let value: unknown = 1;
    for (let level = 0; level < 20_000; level += 1) value = [value];
    const schema = {
      $defs: { deep: { type: ['array', 'number'], items: { $ref: '#/$defs/deep' } } },
      $ref: '#/$defs/deep',
    };
    expect(issuesOf(schema, value)[0]).toMatch(/nested deeper than 100 levels/);
  });

  it('do not confuse inherited properties with fields', () => {
    const schema = {
      type: 'object',
      additionalProperties: false,
      properties: { toString: { type: 'string' } },
      required: ['toString'],
    };
    expect(issuesOf(schema, {})).toEqual([': "toString" is missing']);
    expect(
      issuesOf(
        { type: 'object', additionalProperties: false, properties: {} },
        JSON.parse('{"__proto__": 1, "constructor": 2}'),
      ),
    ).toHaveLength(2);
  });
});

describe('the output', () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: {
      mode: { enum: ['a', 'b'], default: 'a' },
      nested: { type: 'object', properties: { n: { type: 'number', default: 5 } } },
      list: {
        type: 'array',
        items: {
          anyOf: [
            { type: 'string' },
            { type: 'object', properties: { on: { type: 'boolean', default: true } } },
          ],
        },
      },
      made: { type: 'object', default: {}, properties: { deep: { default: 1 } } },
    },
  };

  it('has the defaults of absent fields, also nested ones', () => {
    expect(outputOf(schema, { nested: {}, list: ['x', {}] })).toEqual({
      mode: 'a',
      nested: { n: 5 },
      list: ['x', { on: true }],
      made: { deep: 1 },
    });
  });

  it('of an override has no defaults', () => {
    expect(outputOf(schema, { nested: {} }, false)).toEqual({ nested: {} });
  });

  it('is a frozen copy that later changes of the input do not reach', () => {
    const input = { nested: { n: 1 }, list: ['x'] };
    const output = outputOf(schema, input) as typeof input;
    input.nested.n = 2;
    input.list.push('y');
    expect(output).toMatchObject({ nested: { n: 1 }, list: ['x'] });
    expect([output, output.nested, output.list].every(Object.isFrozen)).toBe(true);
  });

  it('keeps a field named __proto__ a field', () => {
    const output = outputOf({ type: 'object' }, JSON.parse('{"__proto__": {"polluted": true}}')) as Record<
      string,
      unknown
    >;
    expect(Object.keys(output)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(output['polluted']).toBeUndefined();
  });

  it('is the same when validated again', () => {
    for (const filter of [
      authzFilterSchema,
      faultFilterSchema,
      rateLimitFilterSchema,
      retryFilterSchema,
      headersFilterSchema,
    ]) {
      const first = outputOf(filter, {
        ...(filter === authzFilterSchema ? { policies: [] } : {}),
        ...(filter === rateLimitFilterSchema ? { limits: [{ name: 'a', requests: 1 }] } : {}),
      });
      expect(outputOf(filter, first)).toEqual(first);
    }
  });
});

describe('a schema', () => {
  it('with keywords that would check nothing, wrong types or dangling references is refused, all faults at once', () => {
    let caught: unknown;
    try {
      jsonSchema({
        type: 'objekt',
        requird: ['a'],
        properties: { a: { $ref: '#/$defs/b' }, c: 5 },
        items: { pattern: '(' },
      });
    } catch (error) {
      caught = error;
    }
    expect(isTulleError(caught) && caught.issues.map((issue) => issue.path)).toEqual([
      '/type',
      '/requird',
      '/properties/a/$ref',
      '/properties/c',
      '/items/pattern',
    ]);
  });

  it('agrees with an independent validator about what is valid', () => {
    const leaf = fc.oneof(
      fc.constant({ type: 'string', minLength: 1 }),
      fc.constant({ type: 'integer', minimum: 0, maximum: 3 }),
      fc.constant({ type: ['boolean', 'null'] }),
      fc.constant({ enum: ['a', 1, null, { k: 1 }] }),
      fc.constant({ const: 'a' }),
      fc.constant({ type: 'string', pattern: '^a' }),
      fc.constant({ exclusiveMinimum: 1 }),
      fc.constant({ multipleOf: 2 }),
      fc.constant(true),
      fc.constant(false),
    );
    const { schema } = fc.letrec<{ schema: unknown }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.record(
          {
            type: fc.constant('array'),
            items: tie('schema'),
            maxItems: fc.constantFrom(1, 2),
            uniqueItems: fc.boolean(),
          },
          { requiredKeys: ['type', 'items'] },
        ),
        fc.record(
          {
            type: fc.constant('object'),
            properties: fc.record({ a: tie('schema'), b: tie('schema') }, { requiredKeys: [] }),
            required: fc.subarray(['a', 'b']),
            additionalProperties: fc.boolean(),
            minProperties: fc.constantFrom(0, 1),
          },
          { requiredKeys: ['type', 'properties'] },
        ),
        fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
        fc.record({ oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
        fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
        fc.record({ not: tie('schema') }),
      ),
    }));
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('a', 'b', '', 0, 1, 2, 4, 1.5, null, true, false),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'k', 'c'), tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(schema, value, (shape, data) => {
        const object = typeof shape === 'boolean' ? { allOf: [shape] } : (shape as Record<string, unknown>);
        const ours = jsonSchema(object)['~standard'].validate(data).issues === undefined;
        expect(ours).toBe(Compile(object as never).Check(data));
      }),
      { numRuns: 500 },
    );
  });

  it('becomes a table of its options', () => {
    expect(optionTable(retryFilterSchema).split('\n').slice(0, 4)).toEqual([
      '| Option | Type | Default | Meaning |',
      '|---|---|---|---|',
      '| `retries` | whole number, 0–10 | `2` | Further attempts after the first; 0 switches retries off. |',
      '| `on` | list of "connect-failure", "reset", "per-try-timeout", "gateway-error", "5xx", "status-codes", "retriable-4xx", "rate-limited", "response-headers", "cancelled", "deadline-exceeded", "internal", "resource-exhausted" or "unavailable" | `["connect-failure","reset"]` | What is worth another attempt. All but connect-failure and the statuses of gRPC apply to idempotent requests only. |',
    ]);
    expect(optionTable(authzFilterSchema)).toContain(
      '| `policies[].rules[].from.cidrs` | list of strings |  | Peer networks, e.g. 10.0.0.0/8. |',
    );
  });
});
