import { availableParallelism } from 'node:os';
import { FlagError, type FlagSpec, type FlagValues } from '@tulle/sidecar/flags';
import type { LogLevel } from '@tulle/supervisor';
import type { EnvoyProxyOptions } from './options.ts';

/** Envoy's levels, the most urgent last. */
const LEVELS = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  critical: 'error',
  off: 'error',
} as const satisfies Readonly<Record<string, LogLevel>>;

type Flag<Type extends FlagSpec['type']> = FlagSpec & { readonly type: Type };

/** {@link ENVOY_FLAGS} by what their values are. */
export type EnvoyFlagSpecs = Readonly<
  Record<
    | 'config-path'
    | 'config-yaml'
    | 'mode'
    | 'base-id-path'
    | 'service-node'
    | 'service-cluster'
    | 'service-zone'
    | 'drain-strategy'
    | 'log-level'
    | 'log-path'
    | 'admin-address-path'
    | 'client-status-address'
    | 'local-address-ip-version'
    | 'component-log-level'
    | 'log-format'
    | 'socket-path'
    | 'socket-mode'
    | 'disable-extensions',
    Flag<'string'>
  > &
    Record<
      | 'concurrency'
      | 'base-id'
      | 'drain-time-s'
      | 'parent-shutdown-time-s'
      | 'file-flush-interval-msec'
      | 'file-flush-min-size-kb'
      | 'restart-epoch',
      Flag<'number'>
    > &
    Record<
      | 'version'
      | 'cpuset-threads'
      | 'use-dynamic-base-id'
      | 'admin-open'
      | 'allow-unknown-static-fields'
      | 'allow-unknown-fields'
      | 'log-stacktrace-single-entry'
      | 'skip-deprecated-logs'
      | 'enable-mutex-tracing'
      | 'log-format-escaped'
      | 'enable-fine-grain-logging'
      | 'disable-hot-restart'
      | 'enable-core-dump'
      | 'reject-unknown-dynamic-fields'
      | 'ignore-unknown-dynamic-fields'
      | 'hot-restart-version'
      | 'skip-hot-restart-on-no-parent'
      | 'skip-hot-restart-parent-stats',
      Flag<'boolean'>
    > &
    Record<'tolerate-field' | 'stats-tag', Flag<'list'>>
>;

/** Flags of Envoy's program, in its words. */
export const ENVOY_FLAGS: EnvoyFlagSpecs = Object.freeze({
  'config-path': {
    type: 'string',
    short: 'c',
    value: 'FILE',
    help: 'bootstrap: .yaml, .yml, .json, or .pb for binary',
  },
  'config-yaml': {
    type: 'string',
    value: 'TEXT',
    help: 'bootstrap as text; merged over the one of the file',
  },
  mode: {
    type: 'string',
    value: 'MODE',
    help: 'serve, or validate: say what is wrong with the bootstrap and end',
    choices: ['serve', 'validate'],
    defaultText: 'serve',
  },
  version: { type: 'boolean', help: 'say the version, in the five parts of Envoy’s, and end' },
  concurrency: { type: 'number', value: 'N', help: 'engine processes', defaultText: 'one for each CPU' },
  'cpuset-threads': { type: 'boolean', help: 'as many engine processes as CPUs that it may use' },
  'base-id': {
    type: 'number',
    value: 'N',
    help: 'keeps proxies of one user and machine apart; two of the same do not start',
    defaultText: 'one that is free',
  },
  'use-dynamic-base-id': { type: 'boolean', help: 'take a base id that is free' },
  'base-id-path': { type: 'string', value: 'FILE', help: 'write the base id there' },
  'service-node': { type: 'string', value: 'ID', help: 'node.id, whatever the bootstrap says' },
  'service-cluster': { type: 'string', value: 'NAME', help: 'node.cluster, whatever the bootstrap says' },
  'service-zone': { type: 'string', value: 'NAME', help: 'node.locality.zone, whatever the bootstrap says' },
  'drain-time-s': {
    type: 'number',
    value: 'N',
    help: 'connections are asked to close over this time when the proxy drains',
    defaultText: '600; 5 at SIGTERM',
  },
  'drain-strategy': {
    type: 'string',
    value: 'HOW',
    help: 'gradual: ever more of them; immediate: all at once',
    choices: ['gradual', 'immediate'],
    defaultText: 'gradual',
  },
  'parent-shutdown-time-s': {
    type: 'number',
    value: 'N',
    help: 'connections of an engine process that was replaced may live on for so long',
    defaultText: '900',
  },
  'log-level': {
    type: 'string',
    short: 'l',
    value: 'LEVEL',
    help: Object.keys(LEVELS).join(', '),
    choices: Object.keys(LEVELS),
    defaultText: 'info',
  },
  'log-path': { type: 'string', value: 'FILE', help: 'the log goes there', defaultText: 'standard error' },
  'admin-address-path': {
    type: 'string',
    value: 'FILE',
    help: 'write the address of the admin interface there',
  },
  'client-status-address': {
    type: 'string',
    value: 'ADDRESS',
    help: 'serve how each discovered resource stands over CSDS (gRPC, plain text) there: host:port of loopback, or unix:PATH; not a flag of Envoy',
  },
  'admin-open': {
    type: 'boolean',
    help: 'answer everything to callers of other machines too, where admin.address is no loopback address; they get /ready and /stats otherwise',
  },
  'allow-unknown-static-fields': {
    type: 'boolean',
    help: 'leave out fields of the bootstrap that this version does not have, and say so',
  },
  'allow-unknown-fields': { type: 'boolean', help: 'the older name of --allow-unknown-static-fields' },
  'tolerate-field': {
    type: 'list',
    value: 'FIELD',
    help: 'read over a field that is not honoured, by its full name (envoy.config.cluster.v3.Cluster.track_timeout_budgets); may be repeated',
  },
  'local-address-ip-version': {
    type: 'string',
    value: 'VERSION',
    help: 'is taken and says nothing: addresses are those of the system',
    choices: ['v4', 'v6'],
  },
  // Taken, since deployments give them; said once where something other comes of it.
  'component-log-level': {
    type: 'string',
    value: 'LIST',
    help: 'is taken: there is one level, that of --log-level',
  },
  'log-format': { type: 'string', value: 'FORMAT', help: 'is taken: the log is JSON, a line an event' },
  'log-format-escaped': { type: 'boolean', help: 'is taken: the log is JSON, a line an event' },
  'log-stacktrace-single-entry': { type: 'boolean', help: 'is taken: the log is JSON, a line an event' },
  'skip-deprecated-logs': {
    type: 'boolean',
    help: 'is taken: nothing is said of fields since they are deprecated; each is honoured or refused',
  },
  'enable-mutex-tracing': {
    type: 'boolean',
    help: 'is taken: processes share no locks that could be traced',
  },
  'enable-fine-grain-logging': { type: 'boolean', help: 'is taken: there is one level, that of --log-level' },
  'file-flush-interval-msec': {
    type: 'number',
    value: 'N',
    help: 'is taken: access logs are written several times a second',
  },
  'file-flush-min-size-kb': {
    type: 'number',
    value: 'N',
    help: 'is taken: access logs are written several times a second',
  },
  'disable-hot-restart': { type: 'boolean', help: 'is taken: the supervisor replaces processes (SIGUSR2)' },
  'restart-epoch': {
    type: 'number',
    value: 'N',
    help: '0: the supervisor replaces processes (SIGUSR2)',
    defaultText: '0',
  },
  'socket-path': { type: 'string', value: 'PATH', help: 'is taken: it is for hot restart' },
  'socket-mode': { type: 'string', value: 'MODE', help: 'is taken: it is for hot restart' },
  'enable-core-dump': { type: 'boolean', help: 'is taken: see --abort-on-uncaught-exception of Node' },
  'reject-unknown-dynamic-fields': { type: 'boolean', help: 'is taken: it is always so' },
  'ignore-unknown-dynamic-fields': {
    type: 'boolean',
    help: 'leave out fields of discovered resources that this version does not have',
  },
  // Known, so that it can be said what to do instead.
  'disable-extensions': {
    type: 'string',
    value: 'LIST',
    help: 'is refused: no extension can be switched off',
  },
  'stats-tag': {
    type: 'list',
    value: 'TAG',
    help: 'is refused: statistics have the tags that Envoy has by default',
  },
  'hot-restart-version': {
    type: 'boolean',
    help: 'is refused: there is no hot restart; SIGUSR2 replaces processes',
  },
  'skip-hot-restart-on-no-parent': {
    type: 'boolean',
    help: 'is refused: there is no hot restart; SIGUSR2 replaces processes',
  },
  'skip-hot-restart-parent-stats': {
    type: 'boolean',
    help: 'is refused: there is no hot restart; SIGUSR2 replaces processes',
  },
} as const);

/** Values of {@link ENVOY_FLAGS}. */
export type EnvoyFlags = FlagValues<EnvoyFlagSpecs>;

/** What the flags say. */
export interface FlagsRead {
  readonly options: EnvoyProxyOptions;
  readonly mode: 'serve' | 'validate';
  /** Of flags that were taken. */
  readonly notes: readonly string[];
}

/** @throws FlagError where a flag cannot be what it is */
export function envoyOptions(flags: EnvoyFlags): FlagsRead {
  if (flags['config-path'] === undefined && flags['config-yaml'] === undefined)
    throw new FlagError('no bootstrap is given', 'give -c FILE or --config-yaml TEXT');
  if ((flags['restart-epoch'] ?? 0) !== 0)
    throw new FlagError(
      '--restart-epoch must be 0',
      'there is no hot restart: SIGUSR2 replaces the engine processes, and no connection is refused',
    );
  if (flags['base-id'] !== undefined && flags['use-dynamic-base-id'])
    throw new FlagError('--base-id and --use-dynamic-base-id exclude each other');
  for (const [name, { help }] of Object.entries(ENVOY_FLAGS))
    if (help.startsWith(REFUSED) && isGiven(flags[name as keyof EnvoyFlags]))
      throw new FlagError(`--${name} is not supported`, help.slice(REFUSED.length));
  const workers = flags['cpuset-threads']
    ? availableParallelism()
    : (flags.concurrency ?? availableParallelism());
  if (!Number.isInteger(workers)) throw new FlagError('--concurrency must be a whole number');
  const level = flags['log-level'];
  const notes = Object.entries(ENVOY_FLAGS)
    .filter(([name, { help }]) => help.startsWith('is taken') && isGiven(flags[name as keyof EnvoyFlags]))
    .map(([name, { help }]) => `--${name} ${help}`);
  return {
    mode: flags.mode === 'validate' ? 'validate' : 'serve',
    notes,
    options: {
      ...(flags['config-path'] !== undefined && { configPath: flags['config-path'] }),
      ...(flags['config-yaml'] !== undefined && { configYaml: flags['config-yaml'] }),
      workers: Math.max(1, workers), // Envoy: 0 is 1
      ...(flags['base-id'] !== undefined && { baseId: flags['base-id'] }),
      ...(flags['base-id-path'] !== undefined && { baseIdPath: flags['base-id-path'] }),
      ...(flags['service-node'] !== undefined && { serviceNode: flags['service-node'] }),
      ...(flags['service-cluster'] !== undefined && { serviceCluster: flags['service-cluster'] }),
      ...(flags['service-zone'] !== undefined && { serviceZone: flags['service-zone'] }),
      ...(flags['drain-time-s'] !== undefined && { drainTimeMs: flags['drain-time-s'] * 1_000 }),
      ...(flags['drain-strategy'] === 'immediate' && { drainTimeMs: 0 }),
      ...(flags['parent-shutdown-time-s'] !== undefined && {
        parentShutdownTimeMs: flags['parent-shutdown-time-s'] * 1_000,
      }),
      logLevel: level === undefined ? 'info' : LEVELS[level as keyof typeof LEVELS],
      ...(flags['log-path'] !== undefined && { logPath: flags['log-path'] }),
      ...(flags['admin-address-path'] !== undefined && { adminAddressPath: flags['admin-address-path'] }),
      ...(flags['client-status-address'] !== undefined && {
        clientStatusAddress: flags['client-status-address'],
      }),
      adminOpen: flags['admin-open'],
      allowUnknownStaticFields: flags['allow-unknown-static-fields'] || flags['allow-unknown-fields'],
      ignoreUnknownDynamicFields: flags['ignore-unknown-dynamic-fields'],
      tolerateFields: flags['tolerate-field'],
    },
  };
}

/** How the help of a flag begins that is known and not done. */
const REFUSED = 'is refused: ';

/** A list that is empty was not given. */
const isGiven = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
