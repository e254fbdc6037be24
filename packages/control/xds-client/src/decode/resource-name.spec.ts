import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalName, parseResourceName } from './resource-name.ts';

const ROUTES = 'envoy.config.route.v3.RouteConfiguration';

describe('a name', () => {
  it('has its parts', () => {
    expect(parseResourceName(`xdstp://traffic.example/${ROUTES}/shop/web?zone=a&env=prod#x`)).toEqual({
      authority: 'traffic.example',
      type: ROUTES,
      id: 'shop/web',
      context: [
        ['env', 'prod'],
        ['zone', 'a'],
      ],
      isCollection: false,
    });
    expect(parseResourceName(`xdstp:///${ROUTES}/all/*`)).toMatchObject({
      authority: '',
      isCollection: true,
    });
  });

  it('of the old kind, or without a type or an id, has none', () => {
    for (const name of [
      'web',
      'xdstp:/x/y',
      'xdstp://',
      'xdstp://a',
      `xdstp://a/${ROUTES}`,
      `xdstp://a/${ROUTES}/`,
    ])
      expect(parseResourceName(name)).toBeUndefined();
  });

  it('is the same in whatever order its parameters are', () => {
    expect(canonicalName(`xdstp://a/${ROUTES}/x?b=2&a=1#d`)).toBe(`xdstp://a/${ROUTES}/x?a=1&b=2`);
    expect(canonicalName('outbound|80||web.default')).toBe('outbound|80||web.default');
  });

  it('that is canonical stays as it is, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((rest) => `xdstp://${rest}`),
        ),
        (name) => {
          expect(canonicalName(canonicalName(name))).toBe(canonicalName(name));
        },
      ),
    );
  });
});
