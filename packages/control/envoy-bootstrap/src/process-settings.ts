import { isMessage } from '@bufbuild/protobuf';
import type { Address } from '@tulle/model';
import { type DecodeContext, decodeAddress } from '@tulle/xds-client';
import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { CaresDnsResolverConfigSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver';
import { GetAddrInfoDnsResolverConfigSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver';
import { GoogleRE2Schema } from '@tulle/xds-proto/envoy/extensions/regex_engines/v3/google_re2';
import { ACCEPTED, isSet, REFUSED } from './accepted.ts';
import { openAny } from './types.ts';

/** Envoy's name of the sockets that there are. */
const DEFAULT_SOCKETS = 'envoy.extensions.network.socket_interface.default_socket_interface';

/** What the bootstrap says of the process beside its resources: refused, or taken with a word. */
export function checkProcessSettings(
  bootstrap: Bootstrap,
  context: DecodeContext,
  note: (text: string) => void,
): void {
  for (const { field, name, why } of REFUSED) if (isSet(bootstrap, field)) context.refuse(name, why);
  for (const { field, name, why } of ACCEPTED)
    if (isSet(bootstrap, field)) note(`${name} does nothing here: ${why}`);
  if (bootstrap.statsFlush.case !== undefined)
    note('stats_flush_on_admin does nothing here: statistics are always current');
  if (bootstrap.headerPrefix !== '' && bootstrap.headerPrefix !== 'x-envoy')
    context.refuse('header_prefix', `must be x-envoy, but is ${JSON.stringify(bootstrap.headerPrefix)}`);
  if (bootstrap.useTcpForDnsLookups)
    context.refuse('use_tcp_for_dns_lookups', 'is not supported; names are looked up as the system does');
  if (bootstrap.defaultSocketInterface !== '' && bootstrap.defaultSocketInterface !== DEFAULT_SOCKETS)
    context.refuse(
      'default_socket_interface',
      `must be ${DEFAULT_SOCKETS}, but is ${JSON.stringify(bootstrap.defaultSocketInterface)}`,
    );
  checkRegexEngine(bootstrap, context);
  checkResolver(bootstrap, context, note);
  checkClusterManager(bootstrap, context, note);
}

function checkRegexEngine({ defaultRegexEngine: engine }: Bootstrap, context: DecodeContext): void {
  if (engine === undefined) return;
  const config = openAny(engine.typedConfig);
  if (config === undefined || !isMessage(config, GoogleRE2Schema))
    context.refuse('default_regex_engine', 'must be a GoogleRE2: expressions take linear time');
}

function checkResolver(
  { typedDnsResolverConfig: given }: Bootstrap,
  context: DecodeContext,
  note: (text: string) => void,
): void {
  if (given === undefined) return;
  const config = openAny(given.typedConfig);
  if (config !== undefined && isMessage(config, GetAddrInfoDnsResolverConfigSchema)) return;
  if (config !== undefined && isMessage(config, CaresDnsResolverConfigSchema)) {
    if (config.resolvers.length > 0)
      context.refuse(
        'typed_dns_resolver_config.typed_config.resolvers',
        'must be empty: names are looked up as the system does (/etc/resolv.conf)',
      );
    else note('typed_dns_resolver_config: names are looked up as the system does, by getaddrinfo');
    return;
  }
  context.refuse(
    'typed_dns_resolver_config',
    'must be a GetAddrInfoDnsResolverConfig, or a CaresDnsResolverConfig without resolvers',
  );
}

function checkClusterManager(
  { clusterManager: manager }: Bootstrap,
  context: DecodeContext,
  note: (text: string) => void,
): void {
  if (manager === undefined) return;
  if (manager.outlierDetection?.eventService !== undefined)
    context.refuse(
      'cluster_manager.outlier_detection.event_service',
      'is not supported, nor by Envoy; give an event_log_path',
    );
  if (manager.upstreamBindConfig !== undefined)
    context.refuse(
      'cluster_manager.upstream_bind_config',
      'is not supported for all clusters; give it to a cluster',
    );
  if (manager.loadStatsConfig !== undefined)
    context.refuse('cluster_manager.load_stats_config', 'load reports are not sent');
  if (manager.enableDeferredClusterCreation)
    note(
      'cluster_manager.enable_deferred_cluster_creation does nothing here: pools are made when they are first used',
    );
}

/** Where the admin interface is wanted. @returns `undefined` where none is */
export function readAdmin(
  { admin }: Bootstrap,
  context: DecodeContext,
  note: (text: string) => void,
): Address | undefined {
  if (admin === undefined) return undefined;
  if (admin.accessLogPath !== '' || admin.accessLog.length > 0)
    note(
      `admin.${admin.accessLogPath === '' ? 'access_log' : 'access_log_path'} does nothing here: the admin interface writes no access log`,
    );
  if (admin.profilePath !== '')
    note('admin.profile_path does nothing here: there is no profiler behind the admin interface');
  if (admin.socketOptions.length > 0) context.refuse('admin.socket_options', 'are not supported');
  if (admin.address === undefined) return undefined; // Envoy: without an address there is no admin interface
  return decodeAddress(context, admin.address, 'admin.address');
}
