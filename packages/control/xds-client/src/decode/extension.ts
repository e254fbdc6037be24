import { create, type Message } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { FractionalPercent_DenominatorType as Denominator } from '@tulle/xds-proto/envoy/type/v3/percent';
import { RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { ExtensionConfigSource } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import { HTTPFaultSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import { RBACSchema as NetworkRbacSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import { readSource } from './config-source.ts';
import { type DecodeContext, typeNameOf } from './context.ts';
import { hasNoEffect } from './no-effect.ts';
import { canonicalName } from './resource-name.ts';

/** The config of a filter as it came: it is put into the chains that name it before they are translated. */
export interface ExtensionModel {
  readonly name: string;
  readonly config: Any;
}

/** Configs of filters that are here. */
export type FindExtension = (name: string) => Any | undefined;

/** What a filter is while its config has never come: none of its requests, or connections, goes on. */
export const REFUSES_REQUESTS: Any = anyPack(
  HTTPFaultSchema,
  create(HTTPFaultSchema, {
    abort: {
      errorType: { case: 'httpStatus', value: 500 },
      percentage: { numerator: 100, denominator: Denominator.HUNDRED },
    },
  }),
);
export const REFUSES_CONNECTIONS: Any = anyPack(
  NetworkRbacSchema,
  create(NetworkRbacSchema, { statPrefix: 'not_discovered', rules: { action: Action.ALLOW } }),
);

/** A config that is discovered (ECDS). What in it is not honoured is refused here, before any listener names it. */
export function decodeExtension(
  context: DecodeContext,
  { name, typedConfig }: TypedExtensionConfig,
): ExtensionModel {
  if (!hasNoEffect(typeNameOf(typedConfig))) context.open(typedConfig, 'typed_config');
  return { name, config: typedConfig ?? REFUSES_REQUESTS };
}

/**
 * The config of a filter that is discovered: what came, else its default, else one that lets nothing pass (Envoy
 * `ExtensionConfigSource`: "a filter chain with a disabled extension filter rejects all incoming streams").
 * @param path of the source
 * @returns `undefined` after an issue, and for a config that does nothing here
 */
export function discoveredConfig(
  context: DecodeContext,
  given: string,
  source: ExtensionConfigSource,
  refuses: Any,
  path: string,
): Message | undefined {
  const name = canonicalName(given);
  const { defaultConfig, applyDefaultConfigWithoutWarming: atOnce, typeUrls } = source;
  if (name === '') context.refuse(path, 'belongs to a filter without name, by which it would be asked for');
  if (typeUrls.length === 0) context.refuse(`${path}.type_urls`, 'is empty: nothing could be discovered');
  if (atOnce && !defaultConfig)
    context.refuse(`${path}.apply_default_config_without_warming`, 'needs a default_config');
  const read = readSource(context, source.configSource, `${path}.config_source`);
  if (!read) return undefined;
  context.need({ kind: 'extension', name, ...read, ...(atOnce && { awaited: false }) });
  const allowed = new Set(typeUrls.map((url) => url.slice(url.lastIndexOf('/') + 1)));
  const opened = (any: Any, here: string, what: string): Message | undefined => {
    const type = typeNameOf(any);
    if (!allowed.has(type)) {
      context.refuse(here, `${what} is a ${type}, which type_urls does not have`);
      return undefined;
    }
    return hasNoEffect(type) ? undefined : context.open(any, here);
  };
  const standby = defaultConfig && opened(defaultConfig, `${path}.default_config`, 'the default');
  const found = context.extension(name);
  if (found) return opened(found, path, `the extension ${JSON.stringify(name)}`);
  return defaultConfig ? standby : context.open(refuses, path);
}
