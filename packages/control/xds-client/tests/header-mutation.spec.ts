import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { httpConfig, typed } from './envoy-filters.ts';

const mutation = (mutations: JsonObject): unknown =>
  httpConfig(typed('http.header_mutation.v3.HeaderMutation', { mutations }));
const parameter = (key: string, value: string | number, action = 'APPEND_IF_EXISTS_OR_ADD'): JsonObject => ({
  append: { record: { key, value }, action },
});

describe('header_mutation', () => {
  it('edits fields by patterns of their names, trailers, and parameters of the query', () => {
    expect(
      mutation({
        requestMutations: [{ removeOnMatch: { keyMatcher: { prefix: 'x-' } } }, { remove: 'y' }],
        requestTrailersMutations: [{ remove: 'a' }],
        responseTrailersMutations: [{ append: { header: { key: 'b', value: '1' } } }],
        queryParameterMutations: [
          { remove: 'c' },
          parameter('d', '50%%'),
          parameter('e', '', 'OVERWRITE_IF_EXISTS_OR_ADD'),
          parameter('f', '1', 'OVERWRITE_IF_EXISTS'),
          parameter('g', '1', 'ADD_IF_ABSENT'),
        ],
      }),
    ).toEqual({
      requestSteps: [{ removeOnMatch: { kind: 'prefix', value: 'x-' } }, { remove: 'y' }],
      requestTrailerSteps: [{ remove: 'a' }],
      responseTrailerSteps: [{ add: { name: 'b', value: '1' } }],
      querySteps: [
        { remove: 'c' },
        { add: { name: 'd', value: '50%' } },
        { set: { name: 'e', value: '' } },
        { setIfPresent: { name: 'f', value: '1' } },
        { addIfAbsent: { name: 'g', value: '1' } },
      ],
    });
  });

  it.each<[string, JsonObject, RegExp]>([
    ['operators', parameter('a', '%REQ(x)%'), /record\.value has operators/],
    ['a value that is no text', parameter('a', 1), /record\.value must be a string/],
    ['a parameter without a name', parameter('', 'a'), /record\.key is missing/],
    ['two edits in one', { ...parameter('a', 'b'), remove: 'c' }, /must have either append or remove/],
    ['no edit', {}, /must have either append or remove/],
  ])('refuses %s in a query', (_, one, expected) => {
    expect(mutation({ queryParameterMutations: [one] })).toEqual([expect.stringMatching(expected)]);
  });

  it('refuses formatters', () => {
    expect(mutation({ formatters: [{ name: 'x' }] })).toContainEqual(
      expect.stringMatching(/mutations\.formatters\b/),
    );
  });
});
