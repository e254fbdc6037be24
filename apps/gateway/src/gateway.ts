import { join } from 'node:path';
import { isUnixAddress, type TcpAddress } from '@tulle/model';
import { startSidecar, type ProxyRole, type Sidecar } from '@tulle/sidecar';
import { stderrLog } from '@tulle/supervisor';
import { CertificateDirectory } from './certificates.ts';
import type { GatewayOptions } from './options.ts';

/** A running gateway. */
export interface Gateway extends Pick<
  Sidecar,
  'spiffeId' | 'admin' | 'ready' | 'status' | 'restart' | 'stop'
> {
  /** Where it listens now; empty while there is no Gateway of its name. */
  listening(): readonly TcpAddress[];
}

/**
 * Starts the process of a Gateway: looks at its certificates, obtains an identity, starts the engine and follows the
 * control plane, which tells it what to listen on. Resolves when the engine runs; await {@link Gateway.ready} for the
 * first configuration.
 * @throws as `startSidecar` of `@tulle/sidecar`
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { address = '127.0.0.1', listen, certificates, certificateScanMs, ...common } = options;
  const log = options.log ?? stderrLog;
  const directory = new CertificateDirectory({
    directory: certificates ?? join(options.stateDir, 'certificates'),
    onFault: (message) => log.warn(message),
    ...(certificateScanMs === undefined ? {} : { scanMs: certificateScanMs }),
  });
  await directory.scan();
  const role: ProxyRole = {
    binds: Object.fromEntries([...(listen ?? [])].map(([port, at]) => [String(port), at])),
    metadata: (bound) => ({
      gateway: {
        address,
        ports: Object.fromEntries(
          Object.entries(bound).map(([port, at]) => [port, { address: at.host, port: at.port }]),
        ),
        certificates: {
          directory: certificates ?? join(options.stateDir, 'certificates'),
          names: directory.names,
        },
      },
    }),
    follow: (changed) => directory.follow(changed),
  };
  const proxy = await startSidecar({ ...common, ports: [], upstreams: [], readiness: 'immediate', role });
  return {
    spiffeId: proxy.spiffeId,
    admin: proxy.admin,
    ready: proxy.ready,
    status: proxy.status,
    restart: proxy.restart,
    stop: proxy.stop,
    listening: () => proxy.status().supervisor.listeners.filter((at): at is TcpAddress => !isUnixAddress(at)),
  };
}
