import { isMessage } from '@bufbuild/protobuf';
import type { HttpHandler } from '@tulle/model';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import { HeaderMutationSchema } from '@tulle/xds-proto/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation';
import type { DecodeContext } from './context.ts';
import { decodeMutations } from './mutations.ts';
import { filled } from './values.ts';

/** What is done to requests before anything looks at them; each edit by itself, as Envoy runs through its lists. */
export function decodeEarlyEdits(
  context: DecodeContext,
  extensions: readonly TypedExtensionConfig[],
  path: string,
): HttpHandler['earlyEdits'] {
  return filled(
    extensions.flatMap(({ typedConfig }, index) => {
      const here = `${path}[${index}].typed_config`;
      const message = context.open(typedConfig, here);
      if (message && isMessage(message, HeaderMutationSchema))
        return decodeMutations(context, message.mutations, `${here}.mutations`);
      if (message) context.refuse(here, `must be a HeaderMutation, not ${message.$typeName}`);
      return [];
    }),
  );
}
