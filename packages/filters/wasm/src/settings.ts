import type { WasmFilterConfig } from '@tulle/model';

/** A configuration, read: what a guest is told. */
export interface Settings {
  readonly name: string;
  readonly rootId: string;
  readonly vmId: string;
  readonly configuration: Uint8Array;
  readonly vmConfiguration: Uint8Array;
  readonly environment: readonly (readonly [string, string])[];
  readonly maxBodyBytes: number;
  readonly maxMemoryBytes: number;
}

/** As Envoy's connections. */
const MAX_BODY_BYTES = 1_048_576;
/** Enough for what filters do, and little enough that one which leaks does not take the proxy with it. */
const MAX_MEMORY_BYTES = 134_217_728;

/** Of the answer to a call of the guest, or a message. */
export const MAX_ANSWER_BYTES = 1_048_576;

/** @param slot name of the filter in its chain */
export function settingsOf(config: WasmFilterConfig, slot: string): Settings {
  const { name = slot, rootId = '', vmId = '', environment = {} } = config;
  const { maxBodyBytes = MAX_BODY_BYTES, maxMemoryBytes = MAX_MEMORY_BYTES } = config;
  return {
    name,
    rootId,
    vmId,
    configuration: bytesOf(config.configuration, config.configurationBase64),
    vmConfiguration: bytesOf(config.vmConfiguration, config.vmConfigurationBase64),
    environment: Object.entries(environment),
    maxBodyBytes,
    maxMemoryBytes,
  };
}

function bytesOf(text: string | undefined, base64: string | undefined): Uint8Array {
  return base64 === undefined ? Buffer.from(text ?? '', 'utf8') : Buffer.from(base64, 'base64');
}
