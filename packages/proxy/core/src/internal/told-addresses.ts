import { parseIpPort } from '@tulle/match';
import type { TcpAddress } from '@tulle/model';
import type { Passed } from './passed.ts';

/** As Envoy's filter `envoy.filters.listener.original_dst` names it. */
const ORIGINAL_DST = 'envoy.filters.listener.original_dst';

/** Where a connection of this process was going, and whose it is, as who made it says. What is no address says nothing. */
export function toldAddresses({ metadata, filterState }: Passed): {
  readonly local: TcpAddress | undefined;
  readonly remote: TcpAddress | undefined;
} {
  const said = metadata?.[ORIGINAL_DST]?.['local'];
  return {
    local: parseIpPort((typeof said === 'string' ? said : filterState?.[`${ORIGINAL_DST}.local_ip`]) ?? ''),
    remote: parseIpPort(filterState?.[`${ORIGINAL_DST}.remote_ip`] ?? ''),
  };
}
