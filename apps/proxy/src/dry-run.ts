import { type ConfigIssue, type Log, isTulleError } from '@tulle/filter';
import { kernelDestinations } from '@tulle/intercept';
import type { ProxyConfig } from '@tulle/model';
import { createProxy, nodeTransport, type Transport } from '@tulle/proxy';
import { loadStandardFilters, loadStandardTelemetry } from '@tulle/standard/load';

/**
 * Has the engine build a configuration, with its filters and certificates, without listening or connecting anywhere.
 * @returns what it says against it, with JSON pointers into the configuration
 */
export async function dryRun(config: ProxyConfig): Promise<readonly ConfigIssue[]> {
  const proxy = createProxy({
    config,
    registry: await loadStandardFilters(),
    telemetry: await loadStandardTelemetry({}),
    transport: withoutNetwork(nodeTransport({ originalDestination: kernelDestinations })),
    log: QUIET,
    overload: false,
    danglingReferences: 'allow',
  });
  try {
    await proxy.start();
    return [];
  } catch (error) {
    if (isTulleError(error) && error.issues.length > 0) return error.issues;
    return [{ path: '', message: error instanceof Error ? error.message : String(error) }];
  } finally {
    await proxy.stop();
  }
}

const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** TLS contexts are made, and so certificates read; sockets are not. */
function withoutNetwork(real: Transport): Transport {
  return {
    listen: async (address) => ({ address, close: async () => {} }),
    datagrams: {
      bind: async (address) => ({ address, send: () => false, close() {} }),
      connect: (address) => {
        throw new Error(`nothing is sent to ${JSON.stringify(address)}: this is a dry run`);
      },
    },
    connect: (address) => {
      throw new Error(`nothing connects to ${JSON.stringify(address)}: this is a dry run`);
    },
    secure: (socket, tls, firstBytes) => real.secure(socket, tls, firstBytes),
    serverTls: (config) => real.serverTls(config),
    clientTls: (config) => real.clientTls(config),
    resolve: async (host) => {
      throw new Error(`nobody looks ${host} up: this is a dry run`);
    },
    originalDestination: () => undefined,
    prepareOriginalDestination: () => real.prepareOriginalDestination?.(),
    sha1: (text) => real.sha1(text),
    certificates: () => real.certificates(),
    close: async () => real.close(),
  };
}
