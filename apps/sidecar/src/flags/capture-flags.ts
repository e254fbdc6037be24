import { isIP } from 'node:net';
import { REACHABLE_PATTERN } from '@tulle/model';
import type { CaptureOptions } from '../capture/capture-options.ts';
import { FlagError } from './flag-error.ts';
import type { SidecarFlagValues } from './flag-specs.ts';
import { parsePort } from './flag-values.ts';

/**
 * Reads what is to be captured.
 * @param scope of the command that starts the sidecar
 * @returns `undefined`: nothing
 * @throws FlagError
 */
export function captureOf(
  flags: Pick<
    SidecarFlagValues,
    | 'capture'
    | 'egress'
    | 'if-proxy-dies'
    | 'capture-exclude'
    | 'capture-exclude-inbound'
    | 'reachable'
    | 'port'
  >,
  scope: CaptureOptions['scope'],
): CaptureOptions | undefined {
  const { egress, 'if-proxy-dies': ifProxyDies, 'capture-exclude': excluded } = flags;
  if (!flags.capture) {
    const given = [
      'egress',
      'if-proxy-dies',
      'capture-exclude',
      'capture-exclude-inbound',
      'reachable',
    ] as const;
    const idle = given.find((name) => (flags[name]?.length ?? 0) > 0);
    if (idle !== undefined) throw new FlagError(`--${idle} needs --capture`);
    return undefined;
  }
  if (ifProxyDies === 'closed' && scope === 'namespace')
    throw new FlagError(
      '--if-proxy-dies closed needs a program whose end ends the rules too: tulle run --capture',
      'in a network namespace of its own, end the namespace with the sidecar',
    );
  const ports = excluded.filter((one) => /^\d+$/.test(one)).map(Number);
  const cidrs = excluded.filter((one) => !/^\d+$/.test(one));
  const wrong =
    ports.find((port) => port < 1 || port > 65_535)?.toString() ?? cidrs.find((cidr) => !isNetwork(cidr));
  if (wrong !== undefined)
    throw new FlagError(
      `--capture-exclude ${JSON.stringify(wrong)} is neither a network nor a port`,
      'e.g. --capture-exclude 10.0.0.0/8 --capture-exclude 22',
    );
  const form = new RegExp(REACHABLE_PATTERN);
  const nobody = flags.reachable.find((one) => !form.test(one));
  if (nobody !== undefined)
    throw new FlagError(
      `--reachable ${JSON.stringify(nobody)} is no Service`,
      'e.g. --reachable orders --reachable stock.shop --reachable "*.billing"',
    );
  const inbound = flags['capture-exclude-inbound'].map((text) => parsePort('capture-exclude-inbound', text));
  const both = inbound.find((one) => flags.port.some((text) => Number(text) === one));
  if (both !== undefined)
    throw new FlagError(
      `--port ${both} and --capture-exclude-inbound ${both}: a port is called by the mesh, or past the sidecar`,
    );
  return {
    scope,
    ...(egress === undefined ? {} : { egress: egress as 'passthrough' | 'registry-only' }),
    ...(ifProxyDies === undefined ? {} : { ifProxyDies: ifProxyDies as 'open' | 'closed' }),
    ...(flags.reachable.length === 0 ? {} : { reachable: flags.reachable }),
    excludeCidrs: cidrs,
    excludePorts: ports,
    excludeInboundPorts: inbound,
  };
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
