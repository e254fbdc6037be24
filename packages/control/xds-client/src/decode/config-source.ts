import type { ConfigSource } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { DecodeContext } from './context.ts';

/** Everything that is discovered comes over the one ADS stream. */
export function checkSource(context: DecodeContext, source: ConfigSource | undefined, path: string): void {
  if (source?.configSourceSpecifier.case === 'ads') return;
  context.refuse(path, 'must be ads: this proxy discovers everything over one stream');
}
