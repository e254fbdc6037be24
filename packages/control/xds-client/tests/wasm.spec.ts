import type { JsonObject } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { httpConfig, typed } from './envoy-filters.ts';

const local = { local: { filename: '/opt/a.wasm' } };
const wasm = (config: JsonObject = {}, vm: JsonObject = {}) =>
  typed('http.wasm.v3.Wasm', {
    config: { ...config, vmConfig: { runtime: 'envoy.wasm.runtime.v8', code: local, ...vm } },
  });
const value = (type: string, of: unknown): JsonObject => ({
  '@type': `type.googleapis.com/google.protobuf.${type}`,
  value: of as string,
});

it('a module is taken with all that is said of it', () => {
  expect(
    httpConfig(
      wasm(
        {
          name: 'auth',
          rootId: 'root',
          failOpen: true,
          configuration: value('StringValue', '{"a": 1}'),
        },
        {
          vmId: 'vm',
          allowPrecompiled: true,
          environmentVariables: { keyValues: { A: 'b' } },
          configuration: value('BytesValue', 'AAH/'),
        },
      ),
    ),
  ).toEqual({
    module: { file: '/opt/a.wasm' },
    name: 'auth',
    rootId: 'root',
    vmId: 'vm',
    configuration: '{"a": 1}',
    vmConfigurationBase64: 'AAH/',
    environment: { A: 'b' },
    failureMode: 'allow',
  });
  expect(httpConfig(wasm({}, { code: { local: { inlineBytes: 'AGFzbQ==' } } }))).toEqual({
    module: { base64: 'AGFzbQ==' },
  });
});

it('a module is told of a Struct as JSON, and of another message by its bytes', () => {
  expect(httpConfig(wasm({ configuration: value('Struct', { a: [1] }) }))).toMatchObject({
    configuration: '{"a":[1]}',
  });
  const other = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
    startChildSpan: true,
  };
  expect(httpConfig(wasm({ configuration: other }))).toMatchObject({ configurationBase64: 'EAE=' });
});

it.each([
  [{}, { code: { remote: { sha256: 'a' } } }, 'config.vm_config.code'],
  [{}, { code: { local: { filename: 'a.wasm' } } }, 'config.vm_config.code.local.filename'],
  [{}, { code: { local: { inlineString: 'a' } } }, 'config.vm_config.code'],
  [{}, { runtime: 'envoy.wasm.runtime.null' }, 'config.vm_config.runtime'],
  [
    {},
    { environmentVariables: { hostEnvKeys: ['HOME'] } },
    'config.vm_config.environment_variables.host_env_keys',
  ],
  [
    { capabilityRestrictionConfig: { allowedCapabilities: { proxy_log: {} } } },
    {},
    'config.capability_restriction_config',
  ],
] as [JsonObject, JsonObject, string][])('%j %j is refused by its path', (config, vm, path) => {
  expect(httpConfig(wasm(config, vm))).toEqual(
    expect.arrayContaining([expect.stringContaining(`typed_config.${path} `)]),
  );
});
