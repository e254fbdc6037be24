import { Buffer } from 'node:buffer';
import { create } from '@bufbuild/protobuf';
import { anyPack, BytesValueSchema, StringValueSchema, type Any } from '@bufbuild/protobuf/wkt';
import { type Wasm, WasmSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/wasm/v3/wasm';
import { need, orInexpressible } from './inexpressible.ts';
import { hasOnly, isObject, isText } from './shape.ts';

const KEYS = ['module', 'name', 'rootId', 'vmId', 'environment', 'failureMode'];
const CONFIGURATIONS = [
  ['configuration', 'configurationBase64'],
  ['vmConfiguration', 'vmConfigurationBase64'],
] as const;

/** Envoy's message has neither bounds, nor which bodies are seen, nor starting anew. @returns `undefined` where it would not say the same */
export function encodeWasm(config: unknown): Wasm | undefined {
  return orInexpressible(() => {
    need(isObject(config) && hasOnly(config, [...KEYS, ...CONFIGURATIONS.flat()]));
    const { module, environment, failureMode } = config;
    need([undefined, 'deny', 'allow'].includes(failureMode as undefined));
    const [configuration, vmConfiguration] = CONFIGURATIONS.map(([text, base64]) =>
      configurationOf(config[text], config[base64]),
    );
    return create(WasmSchema, {
      config: {
        name: textOf(config['name']),
        rootId: textOf(config['rootId']),
        ...(configuration && { configuration }),
        failOpen: failureMode === 'allow',
        vm: {
          case: 'vmConfig',
          value: {
            vmId: textOf(config['vmId']),
            runtime: 'envoy.wasm.runtime.v8',
            code: { specifier: { case: 'local', value: { specifier: moduleOf(module) } } },
            ...(vmConfiguration && { configuration: vmConfiguration }),
            ...(environment !== undefined && {
              environmentVariables: { keyValues: environmentOf(environment) },
            }),
          },
        },
      },
    });
  });
}

/** Absent, or said: Envoy does not tell an empty one from none. */
function textOf(value: unknown): string {
  need(value === undefined || (isText(value) && value !== ''));
  return value ?? '';
}

function moduleOf(
  module: unknown,
): { case: 'filename'; value: string } | { case: 'inlineBytes'; value: Uint8Array<ArrayBuffer> } {
  need(isObject(module) && Object.keys(module).length === 1);
  const { file, base64 } = module;
  if (file === undefined) return { case: 'inlineBytes', value: bytesOf(base64) };
  need(isText(file) && file.startsWith('/'));
  return { case: 'filename', value: file };
}

function environmentOf(environment: unknown): Record<string, string> {
  need(isObject(environment));
  // In order, so that what says the same is the same on the wire.
  const entries = Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1));
  need(entries.length > 0 && entries.every(([, value]) => isText(value)));
  return Object.fromEntries(entries) as Record<string, string>;
}

function configurationOf(text: unknown, base64: unknown): Any | undefined {
  need(text === undefined || base64 === undefined);
  if (base64 !== undefined)
    return anyPack(BytesValueSchema, create(BytesValueSchema, { value: bytesOf(base64) }));
  if (text === undefined) return undefined;
  need(isText(text));
  return anyPack(StringValueSchema, create(StringValueSchema, { value: text }));
}

/** What is written in the one way that Base64 of bytes is. */
function bytesOf(base64: unknown): Uint8Array<ArrayBuffer> {
  need(isText(base64));
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  need(Buffer.from(bytes).toString('base64') === base64);
  return bytes;
}
