import { readFile } from 'node:fs/promises';
import { TulleError } from '@tulle/filter';
import type { WasmFilterConfig } from '@tulle/model';
import { ERRNO } from './abi.ts';
import type { HostFunction } from './imports/guard.ts';
import { webAssembly, type WasmImports, type WasmModuleObject } from './web-assembly.ts';

/** Versions of the ABI that are spoken. */
const VERSIONS = ['0.2.1', '0.2.0', '0.1.0'] as const;
export type AbiVersion = (typeof VERSIONS)[number];

const WASI = new Set(['wasi_snapshot_preview1', 'wasi_unstable']);

/** A module that can be run. */
export interface GuestModule {
  readonly module: WasmModuleObject;
  readonly abi: AbiVersion;
}

/** @throws TulleError saying which file it is, and what is wrong with it */
export async function loadModule({ module: source }: Pick<WasmFilterConfig, 'module'>): Promise<GuestModule> {
  const what = source.file ?? 'the module in the configuration';
  let bytes: Uint8Array;
  try {
    bytes =
      source.file === undefined ? Buffer.from(source.base64 ?? '', 'base64') : await readFile(source.file);
  } catch (error) {
    throw invalid(`${what} cannot be read: ${(error as Error).message}`);
  }
  let module: WasmModuleObject;
  try {
    module = await webAssembly.compile(bytes);
  } catch (error) {
    throw invalid(`${what} is no WebAssembly module: ${(error as Error).message}`);
  }
  const names = webAssembly.Module.exports(module).map(({ name }) => name);
  const abi = VERSIONS.find((version) => names.includes(`proxy_abi_version_${version.replaceAll('.', '_')}`));
  if (abi === undefined) {
    const other = names.find((name) => name.startsWith('proxy_abi_version_'));
    throw invalid(
      `${what} ${other === undefined ? 'is no Proxy-Wasm module' : `speaks ${other}`}: it must export one of ${VERSIONS.map((version) => `proxy_abi_version_${version.replaceAll('.', '_')}`).join(', ')}`,
    );
  }
  for (const [name, kind] of [
    ['memory', 'memory'],
    [names.includes('proxy_on_memory_allocate') ? 'proxy_on_memory_allocate' : 'malloc', 'function'],
    ['proxy_on_context_create', 'function'],
  ])
    if (!webAssembly.Module.exports(module).some((one) => one.name === name && one.kind === kind))
      throw invalid(`${what} exports no ${kind} ${name}, which Proxy-Wasm needs`);
  return { module, abi };
}

/**
 * What a module imports, from what there is. Of WASI, functions that filters have no use for answer that they are not supported; a
 * function of the proxy that is not known is a fault of the module.
 * @throws TulleError naming all that is missing
 */
export function resolveImports(
  module: WasmModuleObject,
  env: Readonly<Record<string, HostFunction>>,
  wasi: Readonly<Record<string, HostFunction>>,
): WasmImports {
  const imports: Record<string, Record<string, HostFunction>> = {};
  const missing: string[] = [];
  for (const { module: from, name, kind } of webAssembly.Module.imports(module)) {
    const known = WASI.has(from) ? (wasi[name] ?? (() => ERRNO.notSupported)) : from === 'env' && env[name];
    if (kind !== 'function' || !known) missing.push(`${from}.${name}`);
    else (imports[from] ??= {})[name] = known;
  }
  if (missing.length > 0)
    throw invalid(
      `the module imports what is not there: ${missing.join(', ')}; is it built for Proxy-Wasm 0.2.1 or before?`,
    );
  return imports;
}

function invalid(message: string): TulleError {
  return new TulleError('TULLE_CONFIG_INVALID', message);
}
