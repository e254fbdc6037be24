import { isIP } from 'node:net';
import { SERVICE_NAME_LABEL, type EndpointSlice } from '../kinds/endpoint-slice.ts';
import { isUdpPort, type Service } from '../kinds/service.ts';
import type { Workload } from '../kinds/workload.ts';
import { namedAccounts, SERVICE_ACCOUNTS_ANNOTATION } from '../service-accounts.ts';
import { noRepeats, type CheckHost } from './check-host.ts';
import { checkUseWaypoint } from './waypoint.ts';

export function checkService(service: Service, host: CheckHost): void {
  const { ports, type, externalName, selector } = service.spec;
  if (type === 'ExternalName' && externalName === undefined)
    host.report('TULLE0203', '/spec', 'type ExternalName needs the field "externalName"');
  if (type !== 'ExternalName' && externalName !== undefined)
    host.report(
      'TULLE0208',
      '/spec/externalName',
      'only a Service of type ExternalName has an externalName',
      'type: ExternalName',
    );
  if (externalName !== undefined && isIP(externalName) !== 0)
    host.report(
      'TULLE0205',
      '/spec/externalName',
      `${externalName} is an address, no name`,
      'a name that leads there; addresses belong into an EndpointSlice',
    );
  if (type === 'ExternalName' && selector !== undefined)
    host.report('TULLE0208', '/spec/selector', 'a name outside the mesh selects no Workloads');
  checkUseWaypoint(service, host);
  for (const entry of namedAccounts(service)?.faults ?? [])
    host.report(
      'TULLE0205',
      `/metadata/annotations/${SERVICE_ACCOUNTS_ANNOTATION.replace('/', '~1')}`,
      `${JSON.stringify(entry)} is no service account`,
      'name, or namespace/name, comma-separated; without the annotation the account of the same name is taken',
    );
  noRepeats(
    host,
    ports,
    (p) => p.name,
    (i) => `/spec/ports/${i}/name`,
    (n) => `the port name ${JSON.stringify(n)} is used twice`,
  );
  noRepeats(
    host,
    ports,
    (p) => `${p.port}${isUdpPort(p) ? ' of UDP' : ''}`,
    (i) => `/spec/ports/${i}/port`,
    (n) => `port ${n} is there twice`,
  );
  for (const [i, port] of ports.entries()) {
    if (!isUdpPort(port)) continue;
    if (port.appProtocol !== undefined)
      host.report(
        'TULLE0208',
        `/spec/ports/${i}/appProtocol`,
        `a port of UDP carries no connections, so none of ${port.appProtocol}`,
        'remove appProtocol, or protocol: UDP',
      );
    if (typeof port.targetPort === 'string')
      host.report(
        'TULLE0208',
        `/spec/ports/${i}/targetPort`,
        'Workloads name no ports of UDP: sidecars do not take them',
        'the number of the port',
      );
  }
  if (ports.length > 1) {
    for (const [i, port] of ports.entries())
      if (port.name === undefined)
        host.report('TULLE0203', `/spec/ports/${i}`, 'a port of several needs a name');
  }
}

export function checkWorkload(workload: Workload, host: CheckHost): void {
  const { ports, inbound, identity, serviceAccount } = workload.spec;
  noRepeats(
    host,
    ports,
    (p) => p.name,
    (i) => `/spec/ports/${i}/name`,
    (n) => `the port name ${JSON.stringify(n)} is used twice`,
  );
  noRepeats(
    host,
    ports,
    (p) => String(p.port),
    (i) => `/spec/ports/${i}/port`,
    (n) => `port ${n} is there twice`,
  );
  if (identity !== undefined && serviceAccount !== undefined)
    host.report('TULLE0208', '/spec/identity', 'give identity or serviceAccount, not both');
  if (inbound.mode === 'none') {
    if (inbound.port !== undefined)
      host.report('TULLE0208', '/spec/inbound/port', 'mode none has no sidecar, so no port of one');
    for (const [i, port] of ports.entries())
      if (port.inboundPort !== undefined)
        host.report(
          'TULLE0208',
          `/spec/ports/${i}/inboundPort`,
          'mode none has no sidecar, so no port of one',
        );
    return;
  }
  // By a tunnel every port is reached as it is.
  if (inbound.mode === 'hbone') return;
  for (const [i, port] of ports.entries()) {
    if (port.inboundPort === undefined && inbound.port === undefined)
      host.report(
        'TULLE0203',
        `/spec/inbound`,
        `mode ${inbound.mode} needs the sidecar's port: inbound.port, or inboundPort of ports[${i}]`,
      );
  }
  noRepeats(
    host,
    ports,
    (p) => String(p.inboundPort ?? inbound.port),
    (i) => `/spec/ports/${i}`,
    (n) =>
      `two ports share the sidecar's port ${n}, which could not tell them apart; give each its inboundPort`,
  );
}

export function checkEndpointSlice(slice: EndpointSlice, host: CheckHost): void {
  if (slice.metadata.labels?.[SERVICE_NAME_LABEL] === undefined)
    host.report(
      'TULLE0203',
      '/metadata',
      `the label ${SERVICE_NAME_LABEL} must say whose endpoints these are`,
    );
  const family = slice.addressType === 'IPv6' ? 6 : 4;
  for (const [i, endpoint] of slice.endpoints.entries()) {
    for (const [j, address] of endpoint.addresses.entries()) {
      if (isIP(address) !== family)
        host.report(
          'TULLE0205',
          `/endpoints/${i}/addresses/${j}`,
          `${address} is no ${slice.addressType} address`,
        );
    }
  }
  noRepeats(
    host,
    slice.ports ?? [],
    (p) => p.name ?? '',
    (i) => `/ports/${i}/name`,
    (n) => `the port name ${JSON.stringify(n)} is used twice`,
  );
}
