import { Buffer } from 'node:buffer';
import { toJsonString } from '@bufbuild/protobuf';
import {
  anyUnpack,
  BytesValueSchema,
  StringValueSchema,
  StructSchema,
  type Any,
} from '@bufbuild/protobuf/wkt';
import type { WasmFilterConfig, WasmModule } from '@tulle/model';
import type { AsyncDataSource } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { Wasm } from '@tulle/xds-proto/envoy/extensions/filters/http/wasm/v3/wasm';
import type { DecodeContext } from './context.ts';
import { present } from './values.ts';

/** Engines that run the same modules; `null` is code that is compiled into Envoy. */
const RUNTIMES = ['', 'envoy.wasm.runtime.v8', 'envoy.wasm.runtime.wasmtime', 'envoy.wasm.runtime.wamr'];

export function decodeWasm(context: DecodeContext, { config }: Wasm, path: string): WasmFilterConfig {
  const here = `${path}.config`;
  if (config?.vm.case !== 'vmConfig') {
    context.refuse(`${here}.vm_config`, 'is missing: it says where the module is');
    return { module: {} };
  }
  const vm = config.vm.value;
  if (!RUNTIMES.includes(vm.runtime))
    context.refuse(
      `${here}.vm_config.runtime`,
      `must be ${RUNTIMES.slice(1).join(', ')}, for a WebAssembly module, but is ${JSON.stringify(vm.runtime)}`,
    );
  const environment = vm.environmentVariables?.keyValues ?? {};
  return present({
    module: decodeModule(context, vm.code, `${here}.vm_config.code`),
    name: config.name || undefined,
    rootId: config.rootId || undefined,
    vmId: vm.vmId || undefined,
    ...decodeConfiguration(config.configuration, 'configuration', 'configurationBase64'),
    ...decodeConfiguration(vm.configuration, 'vmConfiguration', 'vmConfigurationBase64'),
    environment: Object.keys(environment).length === 0 ? undefined : environment,
    failureMode: config.failOpen ? ('allow' as const) : undefined,
  });
}

function decodeModule(context: DecodeContext, code: AsyncDataSource | undefined, path: string): WasmModule {
  const source = code?.specifier.case === 'local' ? code.specifier.value.specifier : undefined;
  switch (source?.case) {
    case 'filename':
      if (!source.value.startsWith('/'))
        context.refuse(
          `${path}.local.filename`,
          `must be an absolute path, not ${JSON.stringify(source.value)}`,
        );
      return { file: source.value };
    case 'inlineBytes':
      return { base64: Buffer.from(source.value).toString('base64') };
    default:
      context.refuse(
        path,
        'must be local, with filename or inline_bytes: nothing is downloaded here; put the module into a file first',
      );
      return {};
  }
}

/** As Envoy tells a module: text and bytes as they are, a Struct as JSON, and of another message its bytes. */
function decodeConfiguration(
  any: Any | undefined,
  text: 'configuration' | 'vmConfiguration',
  base64: 'configurationBase64' | 'vmConfigurationBase64',
): Partial<WasmFilterConfig> {
  if (any === undefined) return {};
  const string = anyUnpack(any, StringValueSchema);
  if (string !== undefined) return { [text]: string.value };
  const struct = anyUnpack(any, StructSchema);
  if (struct !== undefined) return { [text]: toJsonString(StructSchema, struct) };
  const bytes = anyUnpack(any, BytesValueSchema)?.value ?? any.value;
  return { [base64]: Buffer.from(bytes).toString('base64') };
}
