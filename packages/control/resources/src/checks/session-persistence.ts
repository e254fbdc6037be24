import { parseDurationMs } from '../duration.ts';
import type { SessionPersistence } from '../kinds/session-persistence.ts';
import type { CheckHost } from './check-host.ts';

/** Fields that mean something else to whoever reads them. */
const TAKEN =
  /^(?:cookie|set-cookie|host|authorization|connection|content-.*|transfer-encoding|te|trailer|upgrade|x-forwarded-.*|x-envoy-.*|forwarded)$/i;

export function checkSessionPersistence(
  persistence: SessionPersistence | undefined,
  at: string,
  host: CheckHost,
): void {
  if (persistence === undefined) return;
  const { sessionName, type = 'Cookie', cookieConfig, absoluteTimeout } = persistence;
  if (cookieConfig?.lifetimeType === 'Permanent' && absoluteTimeout === undefined)
    host.report(
      'TULLE0203',
      `${at}/cookieConfig/lifetimeType`,
      'a permanent cookie needs the field "absoluteTimeout": it says until when it is kept',
    );
  if (type === 'Header' && cookieConfig !== undefined)
    host.report('TULLE0208', `${at}/cookieConfig`, 'a session by header has no cookie', 'type: Cookie');
  if (type === 'Header' && sessionName !== undefined && TAKEN.test(sessionName))
    host.report(
      'TULLE0205',
      `${at}/sessionName`,
      `${sessionName} means something else already`,
      'take a name of your own',
    );
  for (const field of ['absoluteTimeout', 'idleTimeout'] as const)
    if (persistence[field] !== undefined && parseDurationMs(persistence[field]) === 0)
      host.report(
        'TULLE0204',
        `${at}/${field}`,
        'a session that is over at once is none',
        'leave it out for a session without that limit',
      );
}
