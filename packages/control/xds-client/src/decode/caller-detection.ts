import { isMessage } from '@bufbuild/protobuf';
import type { CallerDetection, Forwarding } from '@tulle/model';
import type { HttpConnectionManager } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { CustomHeaderConfigSchema } from '@tulle/xds-proto/envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header';
import {
  type XffConfig,
  XffConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/http/original_ip_detection/xff/v3/xff';
import { decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

/** Where the caller's address is looked for (Envoy `original_ip_detection_extensions`). @param path of the HttpConnectionManager */
export function decodeDetection(
  context: DecodeContext,
  { originalIpDetectionExtensions: extensions, useRemoteAddress, xffNumTrustedHops }: HttpConnectionManager,
  path: string,
): Forwarding['detection'] {
  if (extensions.length === 0) return undefined;
  const at = `${path}.original_ip_detection_extensions`;
  if (useRemoteAddress === true) context.refuse(at, 'must not stand beside use_remote_address');
  if (xffNumTrustedHops > 0)
    context.refuse(at, 'must not stand beside xff_num_trusted_hops: say it in its XffConfig');
  return filled(
    extensions.flatMap(({ typedConfig }, index): CallerDetection[] => {
      const here = `${at}[${index}].typed_config`;
      const message = context.open(typedConfig, here);
      if (message === undefined) return [];
      if (isMessage(message, XffConfigSchema)) return [decodeXff(context, message, here)];
      if (isMessage(message, CustomHeaderConfigSchema)) {
        if (message.headerName === '') context.refuse(`${here}.header_name`, 'is missing');
        return [
          present({
            kind: 'header' as const,
            name: message.headerName.toLowerCase(),
            internal: message.allowExtensionToSetAddressAsTrusted ? true : undefined,
            refuseStatus: message.rejectWithStatus && statusOf(message.rejectWithStatus.code),
          }),
        ];
      }
      context.refuse(here, `must be an XffConfig or a CustomHeaderConfig, not ${message.$typeName}`);
      return [];
    }),
  );
}

function decodeXff(context: DecodeContext, config: XffConfig, path: string): CallerDetection {
  const { xffNumTrustedHops: hops, xffTrustedCidrs: trusted, skipXffAppend } = config;
  if (hops > 0 && trusted !== undefined)
    context.refuse(`${path}.xff_trusted_cidrs`, 'must not stand beside xff_num_trusted_hops');
  return present({
    kind: 'forwarded-for' as const,
    trustedHops: hops === 0 ? undefined : hops,
    trustedCidrs: trusted?.cidrs.map(decodeCidr),
    append: skipXffAppend === false ? true : undefined,
  });
}

/** Envoy makes 403 of what is no error. */
function statusOf(code: number): number {
  return code >= 400 && code <= 511 ? code : 403;
}
