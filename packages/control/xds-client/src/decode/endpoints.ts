import { isIpAddress } from '@tulle/match';
import {
  isUnixAddress,
  type Endpoint,
  type EndpointPolicy,
  type EndpointSet,
  type Locality as ModelLocality,
} from '@tulle/model';
import type { Locality } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { HealthStatus } from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import type {
  ClusterLoadAssignment,
  ClusterLoadAssignment_Policy as Policy,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import type {
  Endpoint as EnvoyEndpoint,
  Endpoint_HealthCheckConfig as HealthCheckConfig,
  LbEndpoint,
  LocalityLbEndpoints,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint_components';
import { LB_METADATA, TLS_DISABLED, TLS_MODE, TRANSPORT_SOCKET_METADATA } from '../wire.ts';
import { decodeAddress } from './address.ts';
import { decodeEndpointAddress, decodeEndpointMetadata } from './internal.ts';
import type { DecodeContext } from './context.ts';
import { readExtras, readObject } from './extras.ts';
import { decodeLabels } from './labels.ts';
import { partsPerMillion } from './percent.ts';
import { filled, namespaceOf, present } from './values.ts';

export function decodeEndpointSet(context: DecodeContext, assignment: ClusterLoadAssignment): EndpointSet {
  return { name: assignment.clusterName, ...decodeAssignment(context, assignment, '') };
}

/** @param path of the assignment, `''` when it is a resource of its own */
export function decodeAssignment(
  context: DecodeContext,
  { endpoints, policy }: ClusterLoadAssignment,
  path: string,
): Pick<EndpointSet, 'endpoints' | 'policy'> {
  const base = path === '' ? '' : `${path}.`;
  return present({
    endpoints: endpoints.flatMap((group, index) => decodeGroup(context, group, `${base}endpoints[${index}]`)),
    policy: policy && decodePolicy(context, policy, `${base}policy`),
  });
}

/** Without what says no more than what holds anyway. */
function decodePolicy(context: DecodeContext, policy: Policy, path: string): EndpointPolicy | undefined {
  const factor = policy.overprovisioningFactor;
  if (factor === 0) context.refuse(`${path}.overprovisioning_factor`, 'must be at least 1');
  const decoded: EndpointPolicy = present({
    overprovisioningPercent: factor === OVERPROVISIONING ? undefined : factor,
    weightedHealth: policy.weightedPriorityHealth || undefined,
    drops: filled(
      policy.dropOverloads.map(({ category, dropPercentage }, index) => {
        const at = `${path}.drop_overloads[${index}]`;
        if (category === '') context.refuse(`${at}.category`, 'is missing');
        if (dropPercentage === undefined) context.refuse(`${at}.drop_percentage`, 'is missing');
        return { category, perMillion: partsPerMillion(dropPercentage) };
      }),
    ),
  });
  return Object.keys(decoded).length === 0 ? undefined : decoded;
}

/** The default here, too. */
const OVERPROVISIONING = 140;

/** Endpoints of one locality and priority. */
function decodeGroup(context: DecodeContext, group: LocalityLbEndpoints, path: string): Endpoint[] {
  const { locality, priority, loadBalancingWeight, lbEndpoints } = group;
  if (loadBalancingWeight === 0) context.refuse(`${path}.load_balancing_weight`, 'must be at least 1');
  const place = {
    locality: locality && decodeLocality(locality),
    localityWeight: loadBalancingWeight,
    priority: priority === 0 ? undefined : priority,
  };
  return lbEndpoints.map((endpoint, index) =>
    decodeEndpoint(context, endpoint, place, `${path}.lb_endpoints[${index}]`),
  );
}

/** What the endpoints of a group have in common. */
type Place = { readonly [K in 'locality' | 'localityWeight' | 'priority']: Endpoint[K] | undefined };

function decodeLocality({ region, zone, subZone }: Locality): ModelLocality {
  return present({
    region,
    zone: zone === '' ? undefined : zone,
    subZone: subZone === '' ? undefined : subZone,
  });
}

function decodeEndpoint(context: DecodeContext, endpoint: LbEndpoint, place: Place, path: string): Endpoint {
  const extras = readExtras(context, endpoint.metadata, path);
  const [identity, mode] = [extras.text('identity'), extras.text('mode')];
  const tunnel = decodeTunnel(context, extras.object('tunnel'), path);
  extras.end();
  if (endpoint.loadBalancingWeight === 0)
    context.refuse(`${path}.load_balancing_weight`, 'must be at least 1');
  const labels = decodeLabels(
    context,
    namespaceOf(endpoint.metadata, LB_METADATA),
    `${path}.metadata["${LB_METADATA}"]`,
  );
  const host = endpoint.hostIdentifier.case === 'endpoint' ? endpoint.hostIdentifier.value : undefined;
  const address = decodeEndpointAddress(context, host?.address, `${path}.endpoint.address`);
  return present({
    address,
    additionalAddresses: decodeAdditional(context, host, address, mode, `${path}.endpoint`),
    hostname: host?.hostname === '' ? undefined : host?.hostname,
    weight: endpoint.loadBalancingWeight,
    health: decodeHealth(context, endpoint.healthStatus, path),
    ...place,
    identity,
    healthCheck: decodeChecked(context, host?.healthCheckConfig, `${path}.endpoint.health_check_config`),
    mode: decodeMode(context, endpoint, mode, path),
    tunnel,
    tlsLabels: decodeTlsLabels(context, endpoint, path),
    labels,
    metadata: decodeEndpointMetadata(address, endpoint.metadata),
  });
}

function decodeAdditional(
  context: DecodeContext,
  host: EnvoyEndpoint | undefined,
  address: Endpoint['address'],
  mode: string | undefined,
  path: string,
): Endpoint['additionalAddresses'] {
  const given = host?.additionalAddresses ?? [];
  if (given.length === 0) return undefined;
  if (!('host' in address))
    context.refuse(`${path}.additional_addresses`, 'must stand beside an address that is a socket_address');
  if (mode === 'hbone')
    context.refuse(
      `${path}.additional_addresses`,
      'must be absent where the endpoint is reached by a tunnel',
    );
  return given.flatMap((one, index) => {
    const at = `${path}.additional_addresses[${index}].address`;
    const isSocket = one.address?.address.case === 'socketAddress';
    const other = isSocket ? decodeAddress(context, one.address, at) : undefined;
    if (other !== undefined && 'host' in other && isIpAddress(other.host)) return [other];
    context.refuse(at, 'must be a socket_address with an IP address');
    return [];
  });
}

function decodeHealth(context: DecodeContext, status: HealthStatus, path: string): Endpoint['health'] {
  switch (status) {
    case HealthStatus.UNKNOWN:
      return undefined;
    case HealthStatus.HEALTHY:
      return 'healthy';
    case HealthStatus.UNHEALTHY:
    case HealthStatus.TIMEOUT:
      return 'unhealthy';
    case HealthStatus.DRAINING:
      return 'draining';
    case HealthStatus.DEGRADED:
      return 'degraded';
    default:
      context.refuse(`${path}.health_status`, `must be a HealthStatus, but is ${String(status)}`);
      return undefined;
  }
}

function decodeChecked(
  context: DecodeContext,
  config: HealthCheckConfig | undefined,
  path: string,
): Endpoint['healthCheck'] {
  if (config === undefined) return undefined;
  const address = config.address && decodeAddress(context, config.address, `${path}.address`);
  if (address !== undefined && isUnixAddress(address))
    context.refuse(`${path}.address`, 'must be a socket_address');
  const other = address === undefined || isUnixAddress(address) ? undefined : address;
  const port = config.portValue || other?.port;
  return present({
    port: port === 0 ? undefined : port,
    host: other?.host,
    hostname: config.hostname || undefined,
    disabled: config.disableActiveHealthCheck || undefined,
  });
}

/** Without what says by itself that there is no TLS. */
function decodeTlsLabels(
  context: DecodeContext,
  { metadata }: LbEndpoint,
  path: string,
): Endpoint['tlsLabels'] {
  const { [TLS_MODE]: mode, ...others } = namespaceOf(metadata, TRANSPORT_SOCKET_METADATA);
  return decodeLabels(
    context,
    mode === undefined || mode === TLS_DISABLED ? others : { ...others, [TLS_MODE]: mode },
    `${path}.metadata["${TRANSPORT_SOCKET_METADATA}"]`,
  );
}

/** Without Tulle's own word, Envoy's way to switch TLS off for one endpoint. */
function decodeMode(
  context: DecodeContext,
  { metadata }: LbEndpoint,
  mode: string | undefined,
  path: string,
): Endpoint['mode'] {
  if (mode === undefined)
    return namespaceOf(metadata, TRANSPORT_SOCKET_METADATA)[TLS_MODE] === TLS_DISABLED ? 'none' : undefined;
  if (mode === 'sidecar' || mode === 'captured' || mode === 'none' || mode === 'hbone') return mode;
  context.refuse(
    `${path}.metadata["tulle.dev"].mode`,
    `must be sidecar, captured, none or hbone, but is "${mode}"`,
  );
  return undefined;
}

function decodeTunnel(
  context: DecodeContext,
  values: Readonly<Record<string, unknown>> | undefined,
  path: string,
): Endpoint['tunnel'] {
  if (values === undefined) return undefined;
  const at = `${path}.metadata["tulle.dev"].tunnel`;
  const extras = readObject(context, values, at);
  const authority = extras.text('authority');
  const address = extras.object('address');
  extras.end();
  if (address === undefined) return present({ authority });
  const parts = readObject(context, address, `${at}.address`);
  const [host, port] = [parts.text('host'), parts.number('port')];
  parts.end();
  if (host === undefined || port === undefined) {
    context.refuse(`${at}.address`, 'must have host and port');
    return undefined;
  }
  return present({ address: { host, port }, authority });
}
