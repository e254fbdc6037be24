import type { HTTPBackendRef } from '../kinds/http-route.ts';
import { isBackendKind } from '../select.ts';
import type { CheckHost } from './check-host.ts';

/** A backend of a route of any kind. */
export function checkBackend(backend: HTTPBackendRef, at: string, host: CheckHost): void {
  const { group = '', kind = 'Service', name } = backend;
  const meant = kind === 'Service' ? '' : 'tulle.dev';
  if (!isBackendKind(backend)) return; // status says that nothing is there
  if (group !== meant)
    host.report(
      'TULLE0205',
      `${at}/group`,
      `${kind} is of group ${JSON.stringify(meant)}, not ${JSON.stringify(group)}`,
    );
  if (backend.port === undefined) host.report('TULLE0203', at, `a ${kind} needs the field "port"`);
  const parts = name.split('.').length;
  if (kind === 'Service' && parts > 1)
    host.report(
      'TULLE0205',
      `${at}/name`,
      `${JSON.stringify(name)} is no name of a Service`,
      'give the namespace by itself; a subset has kind: ServiceSubset and group: tulle.dev',
    );
  if (kind === 'ServiceSubset' && parts !== 2)
    host.report('TULLE0205', `${at}/name`, `${JSON.stringify(name)} is no subset`, 'write SERVICE.SUBSET');
}
