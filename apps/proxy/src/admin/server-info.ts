import { create, type JsonObject, toJson } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  CommandLineOptions_DrainStrategy as DrainStrategy,
  ServerInfo_State as State,
  ServerInfoSchema,
} from '@tulle/xds-proto/envoy/admin/v3/server_info';
import type { AdminHost } from './admin-host.ts';

/** Version in Envoy's five parts: revision, release, state of the tree, kind of build, TLS library. */
export const VERSION: string = `tulle/0.1.0/Clean/RELEASE/OpenSSL-${process.versions.openssl}`;

/** `envoy.admin.v3.ServerInfo`. */
export function serverInfo(host: AdminHost): unknown {
  const { options, node } = host;
  const uptime = durationFromMs(Math.floor((Date.now() - host.startedMs) / 1_000) * 1_000);
  const info = create(ServerInfoSchema, {
    version: VERSION,
    state: State[host.state()],
    uptimeCurrentEpoch: uptime,
    uptimeAllEpochs: uptime,
    hotRestartVersion: 'disabled',
    commandLineOptions: {
      baseId: BigInt(host.baseId),
      concurrency: options.workers,
      configPath: options.configPath ?? '',
      configYaml: options.configYaml ?? '',
      allowUnknownStaticFields: options.allowUnknownStaticFields ?? false,
      ignoreUnknownDynamicFields: options.ignoreUnknownDynamicFields ?? false,
      rejectUnknownDynamicFields: !(options.ignoreUnknownDynamicFields ?? false),
      adminAddressPath: options.adminAddressPath ?? '',
      logLevel: options.logLevel ?? 'info',
      logPath: options.logPath ?? '',
      serviceCluster: options.serviceCluster ?? '',
      serviceNode: options.serviceNode ?? '',
      serviceZone: options.serviceZone ?? '',
      drainTime: durationFromMs(options.drainTimeMs ?? 600_000),
      drainStrategy: options.drainTimeMs === 0 ? DrainStrategy.Immediate : DrainStrategy.Gradual,
      parentShutdownTime: durationFromMs(options.parentShutdownTimeMs ?? 900_000),
      disableHotRestart: true,
    },
    node: {
      id: node.id,
      cluster: node.cluster ?? '',
      ...(node.metadata && {
        metadata: node.metadata as JsonObject,
      }),
      ...(node.locality && { locality: { zone: '', subZone: '', ...node.locality } }),
      userAgentName: 'tulle',
    },
  });
  return toJson(ServerInfoSchema, info, { useProtoFieldName: true, alwaysEmitImplicit: true });
}
