/** As much of the WebAssembly JavaScript interface as is used here; TypeScript has it with a browser's types only. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** Compiled. */
export interface WasmModuleObject {
  readonly __module?: never;
}

export interface WasmExport {
  readonly name: string;
  readonly kind: string;
}

export interface WasmImport extends WasmExport {
  readonly module: string;
}

export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface WebAssemblyInterface {
  compile(bytes: Uint8Array): Promise<WasmModuleObject>;
  readonly Module: {
    exports(module: WasmModuleObject): WasmExport[];
    imports(module: WasmModuleObject): WasmImport[];
  };
  readonly Instance: new (
    module: WasmModuleObject,
    imports: WasmImports,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

export const webAssembly: WebAssemblyInterface = (
  globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface }
).WebAssembly;
