import { isInternalAddress, type Endpoint, type HealthCheck } from '@tulle/model';
import type { LineFile } from '@tulle/telemetry';
import type { Engine } from '../../engine.ts';
import type { ProbeResult } from './probe.ts';

/** Whose health it is. */
interface Told {
  readonly endpoint: Endpoint;
}

/** Why an endpoint is taken for ill, in Envoy's words; `PASSIVE`: an answer of its own said so. */
type Failure = 'ACTIVE' | 'PASSIVE' | 'NETWORK' | 'NETWORK_TIMEOUT';

/**
 * Writes a line for each turn that the health of an endpoint takes, in the form of Envoy's
 * `envoy.data.core.v3.HealthCheckEvent`.
 */
export class HealthEvents {
  readonly #cluster: { readonly engine: Engine; readonly name: string };
  readonly #check: HealthCheck;
  readonly #files: readonly LineFile[];

  constructor(
    cluster: { readonly engine: Engine; readonly name: string },
    check: HealthCheck,
    files: readonly LineFile[],
  ) {
    this.#cluster = cluster;
    this.#check = check;
    this.#files = files;
  }

  /** A check passed. @param turned it is well from now on; `first`: by its first check */
  passed({ endpoint }: Told, turned: boolean, first: boolean, degradedNow: boolean | undefined): void {
    if (turned) this.#write(endpoint, { add_healthy_event: { first_check: first } });
    else if (this.#check.logsSuccesses === true)
      this.#write(endpoint, {}, {}, { successful_health_check_event: {} });
    if (degradedNow !== undefined)
      this.#write(
        endpoint,
        {},
        degradedNow ? { degraded_healthy_host: {} } : { no_longer_degraded_host: {} },
      );
  }

  /** A check failed. @param turned it was well so far, and is ill from now on @param status of the answer; 0: none */
  failed(
    { endpoint }: Told,
    result: ProbeResult | 'passive',
    status: number,
    turned: boolean,
    first: boolean,
  ): void {
    const failure = failureOf(result);
    if (turned)
      this.#write(endpoint, { eject_unhealthy_event: { failure_type: failure, http_status_code: status } });
    if (first || this.#check.logsFailures === true)
      this.#write(
        endpoint,
        {},
        {
          health_check_failure_event: {
            failure_type: failure,
            first_check: first,
            http_status_code: status,
          },
        },
      );
  }

  close(): void {
    const { engine, name } = this.#cluster;
    engine.closing.closeFiles(engine, `health log of cluster ${name}`, this.#files);
  }

  /** @param early what stands before the time, as Envoy has it in the order of its fields @param late what stands behind it */
  #write(endpoint: Endpoint, early: object, late: object = {}, last: object = {}): void {
    const { engine, name } = this.#cluster;
    const { region = '', zone = '', subZone = '' } = endpoint.locality ?? {};
    const metadata = metadataOf(endpoint);
    const line = JSON.stringify({
      health_checker_type: this.#check.kind.toUpperCase(),
      host: hostOf(endpoint),
      cluster_name: name,
      ...early,
      timestamp: new Date(engine.clock.epochMs()).toISOString(),
      ...late,
      ...(metadata && { metadata: { filter_metadata: metadata, typed_filter_metadata: {} } }),
      locality: { region, zone, sub_zone: subZone },
      ...last,
    });
    for (const file of this.#files) file.write(line);
  }
}

function failureOf(result: ProbeResult | 'passive'): Failure {
  if (result === 'network') return 'NETWORK';
  if (result === 'timeout') return 'NETWORK_TIMEOUT';
  return result === 'passive' ? 'PASSIVE' : 'ACTIVE';
}

function hostOf({ address }: Endpoint): object {
  if (isInternalAddress(address))
    return {
      envoy_internal_address: { server_listener_name: address.internal, endpoint_id: address.id ?? '' },
    };
  if ('path' in address) return { pipe: { path: address.path, mode: 0 } };
  return {
    socket_address: {
      protocol: 'TCP',
      address: address.host,
      port_value: address.port,
      resolver_name: '',
      ipv4_compat: false,
      network_namespace_filepath: '',
    },
  };
}

/** As much as the proxy keeps of it: the labels that decide something, and all of it where a listener of this process is told. */
function metadataOf({ metadata, labels, tlsLabels }: Endpoint): object | undefined {
  const kept = metadata ?? {
    ...(labels && { 'envoy.lb': labels }),
    ...(tlsLabels && { 'envoy.transport_socket_match': tlsLabels }),
  };
  return Object.keys(kept).length === 0 ? undefined : kept;
}
