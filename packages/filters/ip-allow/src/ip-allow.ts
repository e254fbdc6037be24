import { CONTINUE, defineConnFilter, type ConnFilter, type ConnHooks, type FilterHost } from '@tulle/filter';
import { compileCidrs, CompileContext } from '@tulle/match';
import { IP_ALLOW_FILTER, ipAllowFilterSchema, type IpAllowFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';

/**
 * Peers by network: who may not connect is closed before a byte is read and before TLS. Judged is the address that the
 * kernel names; what a peer says of itself (PROXY protocol, `x-forwarded-for`) is not believed.
 */
export const ipAllow: ConnFilter<IpAllowFilterConfig> = defineConnFilter<IpAllowFilterConfig>({
  apiVersion: 1,
  id: IP_ALLOW_FILTER,
  summary: 'Refuses connections by the network of the peer.',
  config: jsonSchema<IpAllowFilterConfig>(ipAllowFilterSchema),
  effects: 'none',
  create: createIpAllow,
});

function createIpAllow(host: FilterHost, config: IpAllowFilterConfig): ConnHooks<IpAllowFilterConfig> {
  const context = new CompileContext();
  const allow = config.allow === undefined ? undefined : compileCidrs(config.allow, context, '/allow');
  const deny = compileCidrs(config.deny ?? [], context, '/deny');
  context.finish('networks');
  const counter = (reason: string): ReturnType<FilterHost['counter']> =>
    host.counter('ip_allow_refused_total', 'Connections refused by the network of the peer', { reason });
  const [denied, notAllowed] = [counter('denied'), counter('not-allowed')];
  return {
    connect(connection) {
      const { directAddress } = connection;
      if (deny.has(directAddress)) {
        denied.add();
        return connection.close('TULLE_ADDRESS_REFUSED', 'address_not_allowed{denied}');
      }
      // The peer of a Unix socket has no address, so it is in no network.
      if (allow !== undefined && !allow.has(directAddress)) {
        notAllowed.add();
        return connection.close('TULLE_ADDRESS_REFUSED', 'address_not_allowed{not_in_allow}');
      }
      return CONTINUE;
    },
  };
}
