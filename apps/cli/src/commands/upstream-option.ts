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
