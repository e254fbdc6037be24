import type { TcpKeepalive } from '@tulle/model';
import {
  type SocketOption,
  SocketOption_SocketIpVersion as IpVersion,
} from '@tulle/xds-proto/envoy/config/core/v3/socket_option';
import type { DecodeContext } from './context.ts';
import { present } from './values.ts';

/** Options by level and name, numbers as Linux has them, that say what the kernel does about silent connections. */
const KEEPALIVE: Readonly<Record<string, 'on' | 'idle' | 'interval' | 'probes'>> = {
  '1/9': 'on', // SOL_SOCKET, SO_KEEPALIVE
  '6/4': 'idle', // IPPROTO_TCP, TCP_KEEPIDLE
  '6/5': 'interval', // TCP_KEEPINTVL
  '6/6': 'probes', // TCP_KEEPCNT
};
/** Options that every socket of this proxy has: 1 is taken, and 0 refused. */
const ALWAYS_SET: Readonly<Record<string, string>> = {
  '1/2': 'SO_REUSEADDR',
  '6/1': 'TCP_NODELAY',
};
const MOST = 32_767;

/**
 * Of options of TCP sockets those of keepalive, which a listening socket hands on to what it accepts in whatever state it got
 * them. Others are refused by their path: Node has no way to set them.
 * @param given what is said elsewhere, which they are added to
 */
export function decodeSocketOptions(
  context: DecodeContext,
  options: readonly SocketOption[],
  path: string,
  given?: TcpKeepalive,
): TcpKeepalive | undefined {
  let isOn = given !== undefined;
  const counts: { idle?: number; interval?: number; probes?: number } = {};
  for (const [index, option] of options.entries()) {
    const here = `${path}[${index}]`;
    if (option.type?.datagram && !option.type.stream) continue; // There are none here.
    if (option.ipVersion !== IpVersion.UNSPECIFIED) {
      context.refuse(`${here}.ip_version`, 'must not be set: it is for sockets of both versions here');
      continue;
    }
    const key = `${option.level}/${option.name}`;
    const number = option.value.case === 'intValue' ? Number(option.value.value) : undefined;
    const keepalive = KEEPALIVE[key];
    const always = ALWAYS_SET[key];
    if (keepalive === undefined && always === undefined)
      context.refuse(
        here,
        `must be SO_KEEPALIVE (level 1, name 9), TCP_KEEPIDLE, TCP_KEEPINTVL or TCP_KEEPCNT (level 6, names 4, 5, 6), as Linux numbers them, but is level ${option.level}, name ${option.name}: no other can be set here`,
      );
    else if (number === undefined) context.refuse(`${here}.buf_value`, 'must be int_value');
    else if (always !== undefined) {
      if (number === 0) context.refuse(`${here}.int_value`, `must not be 0: ${always} is always set here`);
    } else if (keepalive === 'on') isOn = number !== 0;
    else if (number < 1 || number > MOST)
      context.refuse(`${here}.int_value`, `must be 1 to ${MOST}, but is ${number}`);
    else if (keepalive !== undefined) counts[keepalive] = number;
  }
  const ms = (seconds: number | undefined): number | undefined => seconds && seconds * 1_000;
  // Without SO_KEEPALIVE the kernel does nothing, whatever the rest says.
  return isOn
    ? {
        ...given,
        ...present({ idleMs: ms(counts.idle), intervalMs: ms(counts.interval), probes: counts.probes }),
      }
    : undefined;
}
