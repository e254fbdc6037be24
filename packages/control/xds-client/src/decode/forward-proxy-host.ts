import { isMessage } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { Rewrite } from '@tulle/model';
import { PerRouteConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy';
import { type DecodeContext, typeNameOf } from './context.ts';

/** Overrides of filters, and the host that one for a forward proxy puts in place of the request's. */
export interface ForwardProxyHost {
  readonly overrides: { readonly [slot: string]: Any };
  readonly host?: Pick<Rewrite, 'host' | 'hostFrom'>;
}

/**
 * Envoy's filter for forward proxies has the host rewritten before it is looked up; here the cluster looks up what the route
 * made of it.
 */
export function takeForwardProxyHost(
  context: DecodeContext,
  configs: { readonly [slot: string]: Any },
  path: string,
): ForwardProxyHost {
  const found = Object.entries(configs).find(([, any]) => typeNameOf(any) === PerRouteConfigSchema.typeName);
  if (found === undefined) return { overrides: configs };
  const [slot, any] = found;
  const { [slot]: _, ...overrides } = configs;
  const message = context.open(any, `${path}[${JSON.stringify(slot)}]`);
  if (!message || !isMessage(message, PerRouteConfigSchema)) return { overrides };
  const { hostRewriteSpecifier: how } = message;
  if (how.case === 'hostRewriteLiteral') return { overrides, host: { host: how.value } };
  return how.case === 'hostRewriteHeader'
    ? { overrides, host: { hostFrom: { kind: 'header', name: how.value.toLowerCase() } } }
    : { overrides };
}
