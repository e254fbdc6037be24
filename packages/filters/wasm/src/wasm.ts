import { defineHttpFilter, type HttpFilter } from '@tulle/filter';
import { WASM_FILTER, wasmFilterSchema, type WasmFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { loadModule } from './module.ts';
import { NOTE_CLOSED, NOTE_FAILED, NOTE_FAILURE_ALLOWED, NOTE_REPLIED, Plugin } from './plugin.ts';
import { StreamContext } from './stream-context.ts';

/**
 * Runs a WebAssembly module that was written for Proxy-Wasm (ABI 0.1.0, 0.2.0, 0.2.1), as other proxies do. One machine for each
 * filter in each process. It has its own memory and no way out but the functions of the ABI; how long it computes is not bounded.
 * Of its state nothing is shown.
 */
export const wasm: HttpFilter<WasmFilterConfig, Partial<WasmFilterConfig>, unknown> = defineHttpFilter<
  WasmFilterConfig,
  Partial<WasmFilterConfig>,
  StreamContext
>({
  apiVersion: 1,
  id: WASM_FILTER,
  summary: 'Runs a WebAssembly module that was written for Proxy-Wasm.',
  config: jsonSchema<WasmFilterConfig>(wasmFilterSchema),
  bodyFor({ bodies = 'both' }) {
    return {
      ...(bodies === 'both' || bodies === 'request' ? { request: 'transform' } : {}),
      ...(bodies === 'both' || bodies === 'response' ? { response: 'transform' } : {}),
    };
  },
  phase: 'custom',
  unrouted: true,
  effects: 'external',
  notes: {
    [NOTE_REPLIED]: 'the module answered with status',
    [NOTE_CLOSED]: 'the module ended the stream',
    [NOTE_FAILED]: 'the module has ended',
    [NOTE_FAILURE_ALLOWED]: 'the module has ended, allowed',
  },
  state: {
    create: () => new StreamContext(),
    reset: (context) => context.reset(),
  },
  async create(host, config) {
    const plugin = new Plugin(host, await loadModule(config), config);
    return {
      requestHeaders: (stream, _config, context) => plugin.headers('request', stream, context),
      requestData: (stream, _config, context, bytes, end) =>
        plugin.data('request', stream, context, bytes, end),
      requestTrailers: (stream, _config, context) => plugin.trailers('request', stream, context),
      responseHeaders: (stream, _config, context) => plugin.headers('response', stream, context),
      responseData: (stream, _config, context, bytes, end) =>
        plugin.data('response', stream, context, bytes, end),
      responseTrailers: (stream, _config, context) => plugin.trailers('response', stream, context),
      complete(_stream, _config, context) {
        plugin.complete(context);
        return undefined;
      },
      dispose: () => plugin.dispose(),
    };
  },
});
