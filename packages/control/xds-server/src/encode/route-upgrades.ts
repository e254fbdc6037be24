import type { ForwardAction } from '@tulle/model';
import { ProxyProtocolConfig_Version as ProxyVersion } from '@tulle/xds-proto/envoy/config/core/v3/proxy_protocol';
import type { RouteAction_UpgradeConfigSchema as UpgradeConfigSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { Fields } from './values.ts';

/** What a route says of upgrades, and of CONNECT, which Envoy counts among them. */
export function encodeUpgrades(action: ForwardAction): Fields<typeof UpgradeConfigSchema>[] {
  return [...upgrades(action.allowUpgrades), ...ofConnect(action)];
}

/** Envoy's list adds to the listener's; an empty one is said by switching WebSocket off. */
function upgrades(protocols: readonly string[] | undefined): { upgradeType: string; enabled: boolean }[] {
  if (protocols === undefined) return [];
  if (protocols.length === 0) return [{ upgradeType: 'websocket', enabled: false }];
  return protocols.map((upgradeType) => ({ upgradeType, enabled: true }));
}

/** Where a list says nothing of CONNECT, the listener's word holds. */
function ofConnect({ allowConnect, connect }: ForwardAction): Fields<typeof UpgradeConfigSchema>[] {
  if (allowConnect === undefined && connect === undefined) return [];
  return [
    {
      upgradeType: 'CONNECT',
      enabled: allowConnect ?? true,
      ...(connect && {
        connectConfig: {
          allowPost: connect.post === true,
          ...(connect.proxyProtocol !== undefined && {
            proxyProtocolConfig: {
              version: connect.proxyProtocol === 2 ? ProxyVersion.V2 : ProxyVersion.V1,
            },
          }),
        },
      }),
    },
  ];
}
