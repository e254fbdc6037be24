import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';

/** What becomes of a field of the bootstrap itself; those that are not here are translated. */
interface Rule {
  readonly field: keyof Bootstrap;
  /** As it is written. */
  readonly name: string;
  readonly why: string;
}

/** Fields that do nothing here and whose absence changes no request: they are taken, and that is said once. */
export const ACCEPTED: readonly Rule[] = [
  {
    field: 'flagsPath',
    name: 'flags_path',
    why: 'flag files are not looked for; POST /drain_listeners drains',
  },
  {
    field: 'statsConfig',
    name: 'stats_config',
    why: 'statistics have the names and tags that Envoy has by default',
  },
  { field: 'statsFlushInterval', name: 'stats_flush_interval', why: 'statistics are always current' },
  {
    field: 'deferredStatOptions',
    name: 'deferred_stat_options',
    why: 'statistics are made when they are first counted anyway',
  },
  { field: 'watchdog', name: 'watchdog', why: 'the supervisor replaces an engine process that ends' },
  { field: 'watchdogs', name: 'watchdogs', why: 'the supervisor replaces an engine process that ends' },
  {
    field: 'enableDispatcherStats',
    name: 'enable_dispatcher_stats',
    why: 'the event loop is measured anyway',
  },
  {
    field: 'statsServerVersionOverride',
    name: 'stats_server_version_override',
    why: 'the version is that of this proxy',
  },
  {
    field: 'fatalActions',
    name: 'fatal_actions',
    why: 'an engine process that crashes is reported and replaced',
  },
  { field: 'inlineHeaders', name: 'inline_headers', why: 'every field is found as quickly' },
  { field: 'perfTracingFilePath', name: 'perf_tracing_file_path', why: 'there is no Perfetto here' },
  {
    field: 'applicationLogConfig',
    name: 'application_log_config',
    why: "the proxy's own log is JSON, a line an event",
  },
  {
    field: 'grpcAsyncClientManagerConfig',
    name: 'grpc_async_client_manager_config',
    why: 'gRPC clients live as long as what uses them',
  },
  { field: 'memoryAllocatorManager', name: 'memory_allocator_manager', why: 'there is no tcmalloc here' },
];

/** Fields that would change what is done, and are not done. */
export const REFUSED: readonly Rule[] = [
  { field: 'hdsConfig', name: 'hds_config', why: 'health discovery is not supported' },
  {
    field: 'statsSinks',
    name: 'stats_sinks',
    why: 'no sink is supported; scrape /stats/prometheus of the admin interface',
  },
  {
    field: 'dnsResolutionConfig',
    name: 'dns_resolution_config',
    why: 'names are looked up as the system does; leave it out',
  },
  {
    field: 'certificateProviderInstances',
    name: 'certificate_provider_instances',
    why: 'certificate providers are not supported; give files, text or SDS',
  },
  { field: 'xdsDelegateExtension', name: 'xds_delegate_extension', why: 'is not supported' },
  { field: 'xdsConfigTrackerExtension', name: 'xds_config_tracker_extension', why: 'is not supported' },
  { field: 'listenerManager', name: 'listener_manager', why: 'there is one way to manage listeners' },
  {
    field: 'nodeContextParams',
    name: 'node_context_params',
    why: 'names say all of their context themselves',
  },
];

/** Whether a field of the message is set. */
export function isSet(bootstrap: Bootstrap, field: keyof Bootstrap): boolean {
  const value: unknown = bootstrap[field];
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null)
    return !('case' in value) && ('$typeName' in value || Object.keys(value).length > 0);
  return value !== undefined && value !== '' && value !== false && value !== 0 && value !== 0n;
}
