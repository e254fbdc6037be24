import type { WasmFilterConfig } from '@tulle/model';
import fc from 'fast-check';
import { label, object } from './basics.ts';

const base64 = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => Buffer.from(bytes).toString('base64'));
const configuration = fc.oneof(
  fc.record({ configuration: fc.string(), vmConfiguration: fc.string() }),
  fc.record({ configurationBase64: base64, vmConfigurationBase64: base64 }),
  fc.constant({}),
);

/** What Envoy's own type says. */
export const plainWasmConfig: fc.Arbitrary<WasmFilterConfig> = fc
  .tuple(
    object<WasmFilterConfig>(
      {
        module: fc.oneof(
          label.map((name) => ({ file: `/opt/${name}.wasm` })),
          base64.map((bytes) => ({ base64: bytes })),
        ),
      },
      {
        name: label,
        rootId: label,
        vmId: label,
        environment: fc.dictionary(label, fc.string(), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
        failureMode: fc.constant('allow'),
      },
    ),
    configuration,
  )
  .map(([config, said]) => ({ ...config, ...said }));

export const wasmConfig: fc.Arbitrary<WasmFilterConfig> = fc.oneof(
  plainWasmConfig,
  object<WasmFilterConfig>(
    { module: fc.constant({ file: '/opt/a.wasm' }) },
    {
      failureMode: fc.constant('reload'),
      bodies: fc.constantFrom('request', 'none'),
      maxBodyBytes: fc.integer({ min: 1, max: 1_000 }),
      maxMemoryBytes: fc.integer({ min: 65_536, max: 1_000_000 }),
    },
  ),
);
