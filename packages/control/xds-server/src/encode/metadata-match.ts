import type { AuthzMetadataTest, AuthzValueTest } from '@tulle/model';
import type { MetadataMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/metadata';
import type { ValueMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/value';
import { encodeStringMatch } from './matchers.ts';
import type { Fields } from './values.ts';

/** A condition on what filters found out. */
export function encodeMetadataMatch(test: AuthzMetadataTest): Fields<typeof MetadataMatcherSchema> {
  return {
    filter: test.namespace,
    path: test.path.map((key) => ({ segment: { case: 'key', value: key } })),
    value: encodeValue(test.value),
    invert: test.invert ?? false,
  };
}

function encodeValue(test: AuthzValueTest): Fields<typeof ValueMatcherSchema> {
  if ('text' in test) {
    // Of any text there is no word of its own.
    const text = test.text.kind === 'present' ? { kind: 'regex' as const, value: '[\\s\\S]*' } : test.text;
    return { matchPattern: { case: 'stringMatch', value: encodeStringMatch(text) } };
  }
  if ('number' in test) {
    const { number } = test;
    return {
      matchPattern: {
        case: 'doubleMatch',
        value: {
          matchPattern:
            'exact' in number
              ? { case: 'exact', value: number.exact }
              : { case: 'range', value: { start: number.first, end: number.last } },
        },
      },
    };
  }
  if ('truth' in test) return { matchPattern: { case: 'boolMatch', value: test.truth } };
  if ('nothing' in test) return { matchPattern: { case: 'nullMatch', value: {} } };
  if ('present' in test) return { matchPattern: { case: 'presentMatch', value: test.present } };
  if ('element' in test)
    return {
      matchPattern: {
        case: 'listMatch',
        value: { matchPattern: { case: 'oneOf', value: encodeValue(test.element) } },
      },
    };
  return { matchPattern: { case: 'orMatch', value: { valueMatchers: test.anyOf.map(encodeValue) } } };
}
