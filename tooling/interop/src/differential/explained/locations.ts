import type { Difference } from '../compare.ts';
import { asked, routeTaken } from '../expected.ts';
import type { Json } from '../configuration.ts';
import type { Pair } from './pair.ts';
import { canonical } from './whole.ts';

const WELL_KNOWN: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/** Whether over HTTP/2 a request says that it came by https, which Envoy hears over HTTP/1 alone. */
export function isForwarded({ exchange }: Pair): boolean {
  return exchange?.protocol === 'http2' && asked(exchange, 'x-forwarded-proto') === 'https';
}

/** Of a Location: scheme, port and path in the one way in which Tulle says them. */
export function explainsLocation({ envoy, tulle }: Difference, pair: Pair): boolean {
  const [, said = '', authority = '', target] = /^(https?):\/\/([^/?]*)(.*)$/.exec(envoy) ?? [];
  if (target === undefined) return false;
  const [, host = authority, port = ''] = /^([^:]*)(?::\d+)?(:\d+)$/.exec(authority) ?? [];
  const routes = JSON.stringify(pair.configuration.routes ?? '');
  // A route that says the scheme itself has the last word.
  const redirect = routeTaken(pair.configuration, pair.exchange?.path ?? '/')['redirect'] as Json | undefined;
  const isGiven = redirect?.['scheme_redirect'] !== undefined;
  const schemes = said === 'http' && isForwarded(pair) && !isGiven ? [said, 'https'] : [said];
  return schemes.some((scheme) => {
    const ports = [port === WELL_KNOWN[scheme] ? '' : port];
    // The port that was asked for stays, of one scheme; Envoy has another one here, and takes away what is its own.
    if (scheme !== said && port === '' && pair.exchange?.host === `${host}:443`) ports.push(':443');
    if (scheme === 'https' && routes.includes('"require_tls"')) ports.push('');
    const targets = target === '' ? [''] : [target, canonical(target)];
    return ports.some((one) => targets.some((place) => tulle === `${scheme}://${host}${one}${place}`));
  });
}
