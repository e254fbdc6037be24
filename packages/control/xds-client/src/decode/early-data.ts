import { isMessage } from '@bufbuild/protobuf';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import { DefaultEarlyDataPolicySchema } from '@tulle/xds-proto/envoy/extensions/early_data/v3/default_early_data_policy';
import type { DecodeContext } from './context.ts';

/**
 * Which requests may go before a handshake with their endpoint is over (Envoy `RouteAction.early_data_policy`). Over TCP, which is all that
 * there is here, Envoy sends none so either; its default policy is what holds there without a word.
 */
export function checkEarlyData(
  context: DecodeContext,
  policy: TypedExtensionConfig | undefined,
  path: string,
): void {
  if (policy === undefined) return;
  const message = context.open(policy.typedConfig, `${path}.typed_config`);
  if (message !== undefined && !isMessage(message, DefaultEarlyDataPolicySchema))
    context.refuse(`${path}.typed_config`, `must be a DefaultEarlyDataPolicy, not ${message.$typeName}`);
}
