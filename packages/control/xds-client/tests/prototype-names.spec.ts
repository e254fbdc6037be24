import { create, fromBinary } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { expect, it } from 'vitest';
import type { FilterEntry, Listener } from '@tulle/model';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  JwtAuthenticationSchema,
  RequirementRuleSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeResource } from '@tulle/xds-server';
import { createResourceDecoder } from '../src/decode/resource.ts';

const decoder = createResourceDecoder();
const listenerWith = (filters: readonly FilterEntry[]): Listener => ({
  name: 'l',
  address: { host: '127.0.0.1', port: 1 },
  filterChains: [
    { name: 'c', handler: { kind: 'http', routes: { routeConfigName: 'r' }, filters, allowUpgrades: [] } },
  ],
});

it.each(['constructor', 'toString', '__proto__', 'absent'])(
  'a JWT rule that names the requirement %s is refused when the map does not hold it',
  (name) => {
    const listener = fromBinary(ListenerSchema, encodeResource('listener', listenerWith([])).value);
    const network = listener.filterChains[0]!.filters[0]!;
    const manager = fromBinary(HttpConnectionManagerSchema, (network.configType.value as Any).value);
    const jwt = create(JwtAuthenticationSchema, {
      rules: [
        create(RequirementRuleSchema, {
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          requirementType: { case: 'requirementName', value: name },
        }),
      ],
    });
    manager.httpFilters.unshift(
      create(HttpFilterSchema, {
        name: 'jwt',
        configType: { case: 'typedConfig', value: anyPack(JwtAuthenticationSchema, jwt) },
      }),
    );
    network.configType = { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) };
    const decoded = decoder.decode('listener', anyPack(ListenerSchema, listener));
    expect(decoded.ok ? [] : decoded.issues.map(({ message }) => message)).toEqual([
      'is empty',
      expect.stringContaining('no requirement of requirement_map is named'),
    ]);
  },
);

it.each(['constructor', 'toString', '__proto__'])('a filter may be called %s', (name) => {
  const listener = listenerWith([
    { name, filter: 'acme', config: { a: 1 } },
    { name: 'other', filter: 'acme', config: { a: 1 }, mandatory: true },
  ]);
  const decoded = decoder.decode('listener', encodeResource('listener', listener));
  const { filters } = (decoded.ok && decoded.resource.filterChains[0]?.handler) || {};
  expect(filters?.slice(0, 2)).toEqual([
    { name, filter: 'acme', config: { a: 1 } },
    { name: 'other', filter: 'acme', config: { a: 1 }, mandatory: true },
  ]);
});
