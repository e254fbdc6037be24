import type { HTTPExternalAuthFilter } from '../kinds/external-auth.ts';
import { checkBackend } from './backend.ts';
import { noRepeats, type CheckHost } from './check-host.ts';

/** A filter ExternalAuth of a rule. @param filter `undefined` where its field is missing or faulty */
export function checkExternalAuth(
  filter: HTTPExternalAuthFilter | undefined,
  at: string,
  host: CheckHost,
): void {
  if (filter?.backendRef === undefined) return;
  checkBackend(filter.backendRef, `${at}/backendRef`, host);
  const { protocol, http } = filter;
  const [own, other] = protocol === 'GRPC' ? (['grpc', 'http'] as const) : (['http', 'grpc'] as const);
  if (filter[own] === undefined)
    host.report(
      'TULLE0203',
      at,
      `protocol ${protocol} needs the field "${own}" (Gateway API); it may be empty`,
      `${own}: {}`,
    );
  if (filter[other] !== undefined)
    host.report('TULLE0208', `${at}/${other}`, `protocol ${protocol} has the field "${own}", not "${other}"`);
  for (const [list, names] of [
    [`${at}/grpc/allowedHeaders`, filter.grpc?.allowedHeaders],
    [`${at}/http/allowedHeaders`, http?.allowedHeaders],
    [`${at}/http/allowedResponseHeaders`, http?.allowedResponseHeaders],
  ] as const)
    noRepeats(
      host,
      names ?? [],
      (name) => name.toLowerCase(),
      (i) => `${list}/${i}`,
      (name) => `${name} is listed twice`,
    );
  const path = http?.path;
  if (path !== undefined && (/\/\//.test(path) || URL.parse(`http://h${path}`)?.pathname !== path))
    host.report(
      'TULLE0205',
      `${at}/http/path`,
      `${JSON.stringify(path)} is no path as it stands: dot segments and empty ones lead elsewhere`,
      'write an absolute path like /check',
    );
}
