import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import type { Locality } from '@tulle/model';
import type { SidecarOptions, UpstreamOption } from '../options.ts';
import type { Drain } from '../drain.ts';
import { capabilitiesOf } from './capability-flags.ts';
import { drainOf } from './drain-flags.ts';
import { FlagError } from './flag-error.ts';
import type { SidecarFlagValues } from './flag-specs.ts';
import { telemetryOf } from './telemetry-flags.ts';

/** What {@link sidecarOptions} makes of a command line. */
export type FlagOptions = Required<Pick<SidecarOptions, 'name' | 'namespace' | 'labels' | 'ports'>> &
  Pick<
    SidecarOptions,
    | 'upstreams'
    | 'inbound'
    | 'advertise'
    | 'locality'
    | 'cluster'
    | 'readiness'
    | 'workers'
    | 'supervisor'
    | 'overload'
    | 'capabilities'
    | 'accessLog'
    | 'telemetry'
  > & { readonly drain: Drain };

/**
 * The part of a sidecar's options that flags of every command say.
 * @param env the `OTEL_*` variables, where they are the sidecar's and not the program's
 * @throws FlagError
 */
export async function sidecarOptions(
  flags: SidecarFlagValues,
  env?: Readonly<Record<string, string | undefined>>,
): Promise<FlagOptions> {
  const name = checkName('name', flags.name);
  const ports = flags.port.map((text) => ({ port: parsePort('port', text) }));
  const upstreams = flags.upstream.map(parseUpstream);
  const clash = upstreams.find(({ localPort }) => ports.some(({ port }) => port === localPort));
  if (clash !== undefined)
    throw new FlagError(
      `${clash.localPort} cannot be both --port and the local port of ${clash.service}`,
      'the program listens on the one, the sidecar on the other',
    );
  const { advertise, inbound, locality, cluster } = flags;
  const accessLog = flags['access-log'];
  return {
    name,
    namespace: checkName('namespace', flags.namespace ?? 'default'),
    labels: { app: name, ...Object.fromEntries(flags.label.map(parseLabel)) },
    ports,
    upstreams,
    ...(inbound === undefined ? {} : { inbound: parseHostPort('inbound', inbound) }),
    ...(advertise === undefined ? {} : { advertise: parseAddress('advertise', advertise) }),
    ...(locality === undefined ? {} : { locality: parseLocality(locality) }),
    ...(cluster === undefined ? {} : { cluster: checkName('cluster', cluster) }),
    readiness: flags['no-port-check'] ? 'immediate' : 'port',
    workers: parseWorkers(flags.workers ?? '1'),
    supervisor: !flags['no-supervisor'],
    ...(flags['no-overload-manager'] ? { overload: false as const } : {}),
    ...(accessLog === undefined
      ? {}
      : { accessLog: accessLog === '-' ? ('stdout' as const) : { file: accessLog } }),
    capabilities: capabilitiesOf(flags),
    drain: drainOf(flags),
    telemetry: await telemetryOf(flags, env),
  };
}

/** @param option its name @throws FlagError */
export function parsePort(option: string, text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535)
    throw new FlagError(`--${option} ${JSON.stringify(text)} is no port`, 'a number from 1 to 65535');
  return Number(text);
}

/** `reviews=9001`, `reviews.shop=9001`, `reviews:8080=9001`; a port of 0 lets the system choose. @throws FlagError */
export function parseUpstream(text: string): UpstreamOption {
  const match =
    /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)?)(?::(\d{1,5}))?=(\d{1,5})$/.exec(
      text,
    );
  const servicePort = Number(match?.[2] ?? 1);
  const localPort = Number(match?.[3] ?? -1);
  if (match === null || servicePort < 1 || servicePort > 65_535 || localPort > 65_535) {
    throw new FlagError(
      `--upstream ${JSON.stringify(text)} is not SERVICE=PORT`,
      'e.g. --upstream reviews=9001, or reviews.shop:8080=9001 for a namespace and a port of the Service',
    );
  }
  return { service: match[1] as string, localPort, ...(match[2] === undefined ? {} : { servicePort }) };
}

/** More processes than this is a typing error: each takes some 100 MiB. */
const MAX_WORKERS = 256;

/** `4`, or `auto`: as many as CPUs that this process may use, by affinity and cgroup. @throws FlagError */
export function parseWorkers(text: string): number {
  if (text === 'auto') return availableParallelism();
  const workers = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= MAX_WORKERS) return workers;
  throw new FlagError(
    `--workers ${JSON.stringify(text)} is no number of processes`,
    `a whole number from 1 to ${MAX_WORKERS}, or auto for one each CPU`,
  );
}

/** `version=v2`. @throws FlagError */
export function parseLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1)
    throw new FlagError(`--label ${JSON.stringify(text)} is not KEY=VALUE`, 'e.g. --label version=v2');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A name that becomes a part of a host name (RFC 1123). @throws FlagError */
export function checkName(option: string, text: string): string {
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new FlagError(
    `--${option} ${JSON.stringify(text)} is no name`,
    'at most 63 lower-case letters, digits and dashes, e.g. web',
  );
}

/** `10.0.0.5:15006`, `[::1]:0`. @throws FlagError */
export function parseHostPort(
  option: string,
  text: string,
): { readonly host: string; readonly port: number } {
  const { host, port } = parseAddress(option, text, 'HOST:PORT');
  if (port === undefined)
    throw new FlagError(`--${option} ${JSON.stringify(text)} has no port`, `e.g. --${option} 10.0.0.5:15006`);
  return { host, port };
}

/** `10.0.0.5`, `10.0.0.5:15006`, `[2001:db8::5]:15006`. @throws FlagError */
export function parseAddress(
  option: string,
  text: string,
  form = 'HOST[:PORT]',
): { readonly host: string; readonly port?: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? text;
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (isIP(host) === 0 || (port ?? 0) > 65_535)
    throw new FlagError(
      `--${option} ${JSON.stringify(text)} is not ${form}`,
      `HOST is an IP address, e.g. --${option} 10.0.0.5:15006`,
    );
  return port === undefined ? { host } : { host, port };
}

/** `eu-west`, `eu-west/eu-west-1`, `eu-west/eu-west-1/rack-7`. @throws FlagError */
export function parseLocality(text: string): Locality {
  const [region = '', zone, subZone, ...more] = text.split('/');
  if (region === '' || zone === '' || subZone === '' || more.length > 0)
    throw new FlagError(
      `--locality ${JSON.stringify(text)} is not REGION[/ZONE[/SUBZONE]]`,
      'e.g. --locality eu-west/eu-west-1',
    );
  return { region, ...(zone === undefined ? {} : { zone }), ...(subZone === undefined ? {} : { subZone }) };
}
