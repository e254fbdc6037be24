import { isMessage } from '@bufbuild/protobuf';
import type { DecodeContext } from '@tulle/xds-client';
import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { InternalListenerSchema } from '@tulle/xds-proto/envoy/extensions/bootstrap/internal_listener/v3/internal_listener';
import { openAny } from './types.ts';

/** As Envoy has it: 8 MiB. */
const MAX_KB = 8_192;

/**
 * What bootstrap extensions ask for, of which one is known: it lets Envoy have internal listeners, which are always here, and bounds
 * what waits between their ends. @returns bytes of that; `undefined`: as by default, 1 MiB
 */
export function readInternalBuffer(bootstrap: Bootstrap, context: DecodeContext): number | undefined {
  let bytes: number | undefined;
  for (const [index, { typedConfig }] of bootstrap.bootstrapExtensions.entries()) {
    const path = `bootstrap_extensions[${index}]`;
    const config = openAny(typedConfig);
    if (config === undefined || !isMessage(config, InternalListenerSchema)) {
      context.refuse(path, 'must be an InternalListener: no other extension of the bootstrap is supported');
      continue;
    }
    const kb = config.bufferSizeKb;
    if (kb !== undefined && (kb < 1 || kb > MAX_KB))
      context.refuse(`${path}.typed_config.buffer_size_kb`, `must be from 1 to ${MAX_KB}, but is ${kb}`);
    else if (kb !== undefined) bytes = kb * 1_024;
  }
  return bytes;
}
