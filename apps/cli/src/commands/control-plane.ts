import { startControlPlane } from '@tulle/app-control-plane';
import { resolve } from 'node:path';
import { readAllowList } from '@tulle/filter-loader';
import { makePrivateDirectory, tulleDirectories } from '@tulle/sidecar';
import { findControlPlane } from '../api/find-control-plane.ts';
import { apiClient } from '../api/api-client.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { readTarget } from './xds-bootstrap-text.ts';
import { personLog } from '../cli/person-log.ts';
import { allowListOf } from './filters-file.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';

/** Issuers live 90 days, and at least three leaves long. */
const MAX_LEAF_SECONDS = 30 * 86_400;

export const command: Command = defineCommand({
  summary: 'Run the control plane of this machine: resources, CA, xDS and REST',
  details:
    'Keys, resources and control-plane.json, by which the other commands find it, are kept in the state directory.\n' +
    'That file (mode 0600) holds the secret that REST asks for: Authorization: Bearer, with its apiSecret.\n' +
    'It ends with SIGINT or SIGTERM; what runs in the mesh goes on meanwhile.',
  options: {
    config: {
      type: 'string',
      short: 'c',
      value: 'DIR',
      help: 'directory of resources to follow; default: only what is applied',
    },
    filters: {
      type: 'string',
      value: 'FILE',
      help: 'allow-list of filters that are npm packages: what policies give them is validated; default none',
      env: 'TULLE_FILTERS',
    },
    'trust-domain': {
      type: 'string',
      value: 'NAME',
      help: 'trust domain of the mesh',
      defaultText: 'mesh.local',
    },
    listen: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'xDS and CA, mutual TLS',
      defaultText: '127.0.0.1 and the port of last time, else a free one',
    },
    'raw-xds': {
      type: 'string',
      value: 'ADDRESS',
      help: 'serve resources as tulle xds puts them, in plain text, on HOST:PORT of loopback or unix:PATH',
      defaultText: 'not served',
    },
    'default-action': {
      type: 'string',
      choices: ['allow', 'deny'],
      help: 'what a workload that no ALLOW policy selects does with authenticated callers of the mesh',
      defaultText: 'allow',
    },
    'mesh-protocol': {
      type: 'string',
      choices: ['auto', 'http1'],
      help: 'between proxies, whatever the programs speak: auto is HTTP/2 where the called proxy takes it',
      defaultText: 'auto',
    },
    'leaf-seconds': {
      type: 'number',
      value: 'N',
      help: 'certificates of proxies live so long, and are renewed at half of it; at least 10',
      defaultText: '86400, a day',
    },
    'api-port': {
      type: 'number',
      value: 'PORT',
      help: 'REST, on loopback',
      defaultText: 'that of last time, else a free one',
    },
  },
  examples: [{ command: 'tulle control-plane --config mesh/', does: 'a mesh whose resources are files' }],
  async run({ io, options, signal }) {
    const listen = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(options.listen ?? '127.0.0.1:0');
    if (listen === null) throw usageError(`--listen ${JSON.stringify(options.listen)} is not HOST:PORT`);
    const leafSeconds = options['leaf-seconds'];
    if (leafSeconds !== undefined && !(leafSeconds >= 10 && leafSeconds <= MAX_LEAF_SECONDS))
      throw usageError(
        `--leaf-seconds ${leafSeconds} is no lifetime of a certificate`,
        `give 10 to ${MAX_LEAF_SECONDS} seconds: a third of what issuers live`,
      );
    const raw = options['raw-xds'] === undefined ? undefined : readTarget(options['raw-xds'], '--raw-xds');
    const filters = options.filters === undefined ? undefined : resolve(io.cwd, options.filters);
    if (filters !== undefined) allowListOf(() => readAllowList(filters));
    const { state } = tulleDirectories(io.env);
    makePrivateDirectory(state);
    const { api } = await findControlPlane(io);
    if (api !== undefined && (await answers(api))) {
      throw new CliError(
        EXIT.failed,
        `a control plane runs already at ${apiClient(api, signal).address}`,
        'set TULLE_STATE_DIR for another mesh',
      );
    }
    const running = await startControlPlane({
      stateDir: state,
      log: personLog(io),
      listen: { host: (listen[1] ?? listen[2]) as string, port: Number(listen[3]) },
      api: { port: options['api-port'] ?? 0 },
      defaultAction: options['default-action'] === 'deny' ? 'deny' : 'allow',
      ...(raw === undefined ? {} : { rawXds: raw }),
      ...(options['mesh-protocol'] === undefined
        ? {}
        : { meshProtocol: options['mesh-protocol'] === 'auto' ? ('auto' as const) : ('http1' as const) }),
      ...(leafSeconds === undefined ? {} : { leafLifetimeMs: leafSeconds * 1000 }),
      ...(filters === undefined ? {} : { filters }),
      ...(options.config === undefined ? {} : { configDir: options.config }),
      ...(options['trust-domain'] === undefined ? {} : { trustDomain: options['trust-domain'] }),
    });
    io.err(
      `control plane of ${running.endpoints.trustDomain}: xDS and CA ${running.endpoints.xds}, REST ${running.endpoints.api}${running.endpoints.rawXds === undefined ? '' : `, resources as they are put ${running.endpoints.rawXds}`}\n`,
    );
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await running.close();
    return EXIT.ok;
  },
});

async function answers(api: string): Promise<boolean> {
  try {
    return (await apiClient(api, new AbortController().signal).call('GET', '/healthz')).ok;
  } catch {
    return false; // its file was left by one that was killed
  }
}
