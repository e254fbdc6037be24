import { isIP } from 'node:net';
import type { UpstreamOption } from '@tulle/sidecar';
import { usageError } from '../cli/exit-codes.ts';

/** `reviews=9001`, `reviews.shop=9001`, `reviews:8080=9001`; a port of 0 lets the system choose. @throws CliError 64 */
export function parseUpstream(text: string): UpstreamOption {
  const match =
    /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)?)(?::(\d{1,5}))?=(\d{1,5})$/.exec(
      text,
    );
  const servicePort = Number(match?.[2] ?? 1);
  const localPort = Number(match?.[3] ?? -1);
  if (match === null || servicePort < 1 || servicePort > 65_535 || localPort > 65_535) {
    throw usageError(
      `--upstream ${JSON.stringify(text)} is not SERVICE=PORT`,
      'e.g. --upstream reviews=9001, or reviews.shop:8080=9001 for a namespace and a port of the Service',
    );
  }
  return { service: match[1] as string, localPort, ...(match[2] === undefined ? {} : { servicePort }) };
}

/** `version=v2`. @throws CliError 64 */
export function parseLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw usageError(`--label ${JSON.stringify(text)} is not KEY=VALUE`, 'e.g. --label version=v2');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A name that becomes a part of a host name (RFC 1123). @throws CliError 64 */
export function checkName(option: string, text: string): string {
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw usageError(
    `--${option} ${JSON.stringify(text)} is no name`,
    'at most 63 lower-case letters, digits and dashes, e.g. web',
  );
}

/** `10.0.0.5:15006`, `[::1]:0`. @throws CliError 64 */
export function parseHostPort(
  option: string,
  text: string,
): { readonly host: string; readonly port: number } {
  const { host, port } = parseAddress(option, text, 'HOST:PORT');
  if (port === undefined)
    throw usageError(`--${option} ${JSON.stringify(text)} has no port`, `e.g. --${option} 10.0.0.5:15006`);
  return { host, port };
}

/** `10.0.0.5`, `10.0.0.5:15006`, `[2001:db8::5]:15006`. @throws CliError 64 */
export function parseAddress(
  option: string,
  text: string,
  form = 'HOST[:PORT]',
): { readonly host: string; readonly port?: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? text;
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (isIP(host) === 0 || (port ?? 0) > 65_535)
    throw usageError(
      `--${option} ${JSON.stringify(text)} is not ${form}`,
      `HOST is an IP address, e.g. --${option} 10.0.0.5:15006`,
    );
  return port === undefined ? { host } : { host, port };
}
