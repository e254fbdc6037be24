import type { Chance } from '../chance.ts';
import type { Json } from '../configuration.ts';
import { typed } from '../resources.ts';

/**
 * The filter that puts down under `who` what a request says.
 * @param value how it is made of the request
 * @param filter what else the filter is told
 */
export function keepsWho(value: Json, filter: Json = {}): Json {
  return {
    name: 'envoy.filters.http.set_filter_state',
    typed_config: typed('envoy.extensions.filters.http.set_filter_state.v3.Config', {
      on_request_headers: [{ object_key: 'who', ...value }],
      ...filter,
    }),
  };
}

/** A condition on a text that is often `v1`, or near it. */
export function isNearV1(chance: Chance, regex: string): Json {
  return chance.pick<Json>([
    { exact: 'v1' },
    { prefix: 'v' },
    { suffix: '2' },
    { contains: '1' },
    { safe_regex: { regex } },
    { exact: 'V1', ignore_case: true },
  ]);
}
