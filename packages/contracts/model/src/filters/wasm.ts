import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.wasm`: a WebAssembly module that speaks Proxy-Wasm 0.1.0, 0.2.0 or 0.2.1 sees and changes
 * requests and responses (Envoy `filters.http.wasm.v3.Wasm`).
 */
export interface WasmFilterConfig {
  /** Where the module is: one of the two. Envoy `vm_config.code.local`. */
  readonly module: WasmModule;
  /** What the module is told as `plugin_name`. Default: the name of the filter in its chain. */
  readonly name?: string;
  /** Which of the filters in a module: what it was registered as. Default `''`. */
  readonly rootId?: string;
  /** Modules with one id have shared data and queues in common, in each process. Default `''`. */
  readonly vmId?: string;
  /** Told to the module when it starts, in UTF-8. Envoy `PluginConfig.configuration`. */
  readonly configuration?: string;
  /** The same for bytes that are no text, in Base64. */
  readonly configurationBase64?: string;
  /** Told to the module before. Envoy `VmConfig.configuration`. */
  readonly vmConfiguration?: string;
  /** The same for bytes that are no text, in Base64. */
  readonly vmConfigurationBase64?: string;
  /** Environment variables; of the proxy's own it sees none. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * What becomes of streams when the module has ended: it failed, or grew too large. Default `deny`: 503. `allow`: they go on without
   * it, which is counted. `reload`: 503, and it is started anew for the next one, at most once a second. Envoy `failure_policy`.
   */
  readonly failureMode?: 'deny' | 'allow' | 'reload';
  /**
   * Which bodies it sees. One that it sees goes on without Content-Length, since it may become another. Default `both`, where the module
   * has callbacks for them.
   */
  readonly bodies?: 'both' | 'request' | 'response' | 'none';
  /** Most of a body that it may hold back, in bytes. Default 1 MiB, as of Envoy's connections. */
  readonly maxBodyBytes?: number;
  /** It is ended when its memory is larger, in bytes. Default 128 MiB: one that leaks must not take the proxy with it. */
  readonly maxMemoryBytes?: number;
}

/** One of the two. */
export interface WasmModule {
  /** Absolute path on the machine of the proxy. */
  readonly file?: string;
  /** The module itself. */
  readonly base64?: string;
}

/** Id of the WebAssembly filter. */
export const WASM_FILTER = 'tulle.http.wasm';

const text = (description: string): JsonSchema => ({ type: 'string', description });
const BASE64 = '^[A-Za-z0-9+/]*={0,2}$';
const base64 = (description: string): JsonSchema => ({ type: 'string', pattern: BASE64, description });

/** JSON Schema of {@link WasmFilterConfig}. */
export const wasmFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['module'],
  properties: {
    module: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
      description: 'Where the module is: one of the two.',
      properties: {
        file: { type: 'string', pattern: '^/', description: 'Absolute path on the machine of the proxy.' },
        base64: base64('The module itself.'),
      },
    },
    name: text('What the module is told as plugin_name. Default: the name of the filter in its chain.'),
    rootId: text('Which of the filters in a module: what it was registered as.'),
    vmId: text('Modules with one id have shared data and queues in common, in each process.'),
    configuration: text('Told to the module when it starts.'),
    configurationBase64: base64('The same for bytes that are no text.'),
    vmConfiguration: text('Told to the module before.'),
    vmConfigurationBase64: base64('The same for bytes that are no text.'),
    environment: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Environment variables; of the proxy’s own it sees none.',
    },
    failureMode: {
      enum: ['deny', 'allow', 'reload'],
      default: 'deny',
      description: 'What becomes of streams when the module has ended.',
    },
    bodies: {
      enum: ['both', 'request', 'response', 'none'],
      default: 'both',
      description: 'Which bodies it sees.',
    },
    maxBodyBytes: {
      type: 'integer',
      minimum: 1,
      maximum: 67_108_864,
      default: 1_048_576,
      description: 'Most of a body that it may hold back.',
    },
    maxMemoryBytes: {
      type: 'integer',
      minimum: 65_536,
      maximum: 4_294_967_296,
      default: 134_217_728,
      description: 'The module is ended when its memory is larger.',
    },
  },
};
