import type { ConnectTermination, ForwardAction } from '@tulle/model';
import type {
  RouteAction,
  RouteAction_UpgradeConfig_ConnectConfig as ConnectConfig,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { DecodeContext } from './context.ts';
import { decodePlainHeader } from './proxy-protocol.ts';
import { present } from './values.ts';

type Upgrades = {
  readonly [K in 'allowUpgrades' | 'allowConnect' | 'connect']?: ForwardAction[K] | undefined;
};

/** What a route says of upgrades, and of CONNECT, which Envoy counts among them. @param path of the route's action */
export function decodeUpgrades(
  context: DecodeContext,
  { upgradeConfigs }: RouteAction,
  path: string,
): Upgrades {
  const allowed: string[] = [];
  const seen = new Set<string>();
  let others = false;
  let ofConnect: Upgrades = {};
  for (const [index, { upgradeType, enabled, connectConfig }] of upgradeConfigs.entries()) {
    const here = `${path}.upgrade_configs[${index}]`;
    const type = upgradeType.toLowerCase();
    if (seen.has(type)) context.refuse(here, `speaks of ${JSON.stringify(type)} again`);
    seen.add(type);
    if (type === 'connect') {
      ofConnect = {
        allowConnect: enabled === false ? false : connectConfig === undefined ? true : undefined,
        connect: connectConfig && decodeTermination(context, connectConfig, `${here}.connect_config`),
      };
      continue;
    }
    if (connectConfig !== undefined)
      context.refuse(`${here}.connect_config`, 'must stand with the upgrade_type CONNECT');
    others = true;
    if (enabled !== false) allowed.push(type);
  }
  return { allowUpgrades: others ? allowed : undefined, ...ofConnect };
}

function decodeTermination(
  context: DecodeContext,
  { proxyProtocolConfig, allowPost }: ConnectConfig,
  path: string,
): ConnectTermination {
  return present({
    proxyProtocol:
      proxyProtocolConfig && decodePlainHeader(context, proxyProtocolConfig, `${path}.proxy_protocol_config`),
    post: allowPost ? true : undefined,
  });
}
