import { expect, it } from 'vitest';
import { proxiesOf, resourcesOf, SELDOM } from './mesh.ts';

const sizes = [1, 6, 100].flatMap((proxies) =>
  // 13, 26 and 1,300: multiples of the step from one Service to the next.
  [3, 5, 13, 26, 100, 1_000, 1_300].flatMap((services) =>
    [2, 10].map((upstreams) => ({ proxies, services, upstreams, endpoints: 1 })),
  ),
);

it.each(sizes)(
  'of $proxies proxies and $services Services each calls $upstreams, and not all of them the seldom one',
  (size) => {
    const called = proxiesOf(size).map(({ routes }) => routes);
    for (const routes of called) expect(new Set(routes).size).toBe(Math.min(size.upstreams, size.services));
    const seldom = `outbound|80||s${SELDOM}.default.svc.mesh.local`;
    expect(called[0]).toContain(seldom);
    if (size.proxies > 1 && size.services > size.upstreams)
      expect(called.every((routes) => routes.includes(seldom))).toBe(false);
  },
);

it('no route leads to the seldom Service', () => {
  const routes = resourcesOf({ proxies: 1, services: 5, upstreams: 2, endpoints: 1 }).filter(
    ({ kind }) => kind === 'HTTPRoute',
  );
  expect(routes).toHaveLength(1);
  expect(JSON.stringify(routes)).not.toContain(`"s${SELDOM}"`);
});
