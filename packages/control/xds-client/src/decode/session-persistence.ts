import type { SessionPersistence } from '@tulle/model';
import type { DecodeContext } from './context.ts';
import { readObject, type Extras } from './extras.ts';
import { present } from './values.ts';

/** What a route's metadata says of sessions. */
export function decodePersistence(
  context: DecodeContext,
  extras: Extras,
  path: string,
): SessionPersistence | undefined {
  const said = extras.object('persistence');
  if (said === undefined) return undefined;
  const at = `${path}.metadata persistence`;
  const read = readObject(context, said, at);
  const kind = read.text('kind');
  const decoded = present({
    kind: kind === 'header' ? ('header' as const) : ('cookie' as const),
    name: read.text('name') ?? '',
    secret: read.text('secret') ?? '',
    absoluteTimeoutMs: read.number('absoluteTimeoutMs'),
    idleTimeoutMs: read.number('idleTimeoutMs'),
    path: read.text('path'),
    permanent: read.flag('permanent'),
  });
  if (kind !== 'cookie' && kind !== 'header') context.refuse(`${at}.kind`, 'must be cookie or header');
  if (decoded.name === '') context.refuse(`${at}.name`, 'is missing');
  if (!/^[0-9a-f]{32}$/.test(decoded.secret)) context.refuse(`${at}.secret`, 'must be 32 hex digits');
  read.end();
  return decoded;
}
