import { envoyBootstrap } from '@tulle/agent';
import { formatAddress } from '@tulle/model';
import { parseUpstream } from '@tulle/sidecar/flags';
import { findControlPlane } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import { grpcBootstrap, rawBootstrap, readTarget, type Target } from './xds-bootstrap-text.ts';

export const command: Command = defineCommand({
  summary:
    'Print a bootstrap with which a client takes its configuration from the control plane of this machine',
  details:
    'Without --sds it is for what tulle xds put gives out, in plain text over loopback or a Unix socket. With --sds an Envoy\n' +
    'joins the mesh: mutual TLS with certificate and roots of a local agent (tulle agent), and the node id of its service account.\n' +
    'tulle agent --envoy-bootstrap writes the same, with ports that are found for it.',
  options: {
    for: {
      type: 'string',
      value: 'CLIENT',
      help: 'who reads it: envoy, grpc (GRPC_XDS_BOOTSTRAP), or tulle (tulle proxy -c)',
      choices: ['envoy', 'grpc', 'tulle'],
      required: true,
    },
    node: {
      type: 'string',
      value: 'ID',
      help: 'node id',
      defaultText: 'the name of the client; with --sds what tells it from others of its service account',
    },
    server: {
      type: 'string',
      value: 'ADDRESS',
      help: 'HOST:PORT or unix:PATH of the xDS server',
      defaultText: 'that of this machine',
    },
    protocol: {
      type: 'string',
      choices: ['delta', 'state-of-the-world'],
      help: 'how streams speak',
      defaultText: 'delta for envoy, state-of-the-world for tulle and grpc',
    },
    sds: { type: 'string', value: 'unix:PATH', help: "the agent's socket, for an Envoy in the mesh" },
    'service-account': {
      type: 'string',
      value: 'NAMESPACE/NAME',
      help: 'with --sds: who the Envoy is',
      defaultText: 'default/envoy',
    },
    upstream: {
      type: 'list',
      value: 'SERVICE=PORT',
      help: 'with --sds: a Service of the mesh that this Envoy offers on a local port; may be repeated',
    },
    output: {
      type: 'string',
      short: 'o',
      value: 'FORMAT',
      help: 'yaml or json',
      choices: ['yaml', 'json'],
      defaultText: 'json for grpc, else yaml',
    },
  },
  examples: [
    { command: 'tulle xds bootstrap --for envoy --node edge > envoy.yaml', does: 'then envoy -c envoy.yaml' },
    { command: 'tulle xds bootstrap --for grpc > xds.json', does: 'then GRPC_XDS_BOOTSTRAP=xds.json' },
  ],
  async run({ io, options }) {
    const client = options.for;
    if (options.sds !== undefined && client !== 'envoy')
      throw usageError(`--sds is for Envoy, not for ${client}`, 'leave it out, or say --for envoy');
    const found = await findControlPlane(io);
    const given = options.server ?? (options.sds === undefined ? found.rawXds : found.xds);
    if (given === undefined)
      throw new CliError(
        EXIT.unreachable,
        options.sds === undefined
          ? 'no control plane of this machine serves resources as they are put'
          : 'there is no control plane of this machine',
        options.sds === undefined
          ? 'start one: tulle control-plane --raw-xds 127.0.0.1:18000; or say --server'
          : 'start one: tulle control-plane; or say --server',
      );
    const server = readTarget(given, '--server');
    const protocol = options.protocol ?? (client === 'envoy' ? 'delta' : 'state-of-the-world');
    if (client === 'grpc' && protocol === 'delta')
      throw usageError('gRPC speaks the state of the world only', 'leave --protocol out');
    const node = options.node ?? client;
    const bootstrap =
      options.sds !== undefined
        ? meshBootstrap(options.sds, server, found.trustDomain ?? 'mesh.local')
        : client === 'grpc'
          ? grpcBootstrap({ server, node })
          : rawBootstrap({ server, node, protocol });
    const format = options.output ?? (client === 'grpc' ? 'json' : 'yaml');
    if (format === 'json') io.out(`${JSON.stringify(bootstrap, null, 2)}\n`);
    else io.out((await import('yaml')).stringify(bootstrap));
    return EXIT.ok;

    function meshBootstrap(sds: string, controlPlane: Target, trustDomain: string): object {
      const agent = readTarget(sds, '--sds');
      if (!('path' in agent)) throw usageError(`--sds ${JSON.stringify(sds)} is not unix:PATH`);
      if ('path' in controlPlane) throw usageError('the mesh has no Unix socket', 'say --server HOST:PORT');
      const account = options['service-account'] ?? 'default/envoy';
      const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(account) ?? [];
      if (namespace === undefined || name === undefined)
        throw usageError(`--service-account ${JSON.stringify(account)} is not NAMESPACE/NAME`);
      const upstreams = options.upstream.map(parseUpstream);
      const unchosen = upstreams.find(({ localPort }) => localPort === 0);
      if (unchosen !== undefined)
        throw usageError(
          `--upstream ${unchosen.service}=0: Envoy cannot say which port it took`,
          'name a port',
        );
      return envoyBootstrap({
        agentSocket: agent.path,
        xds: [formatAddress(controlPlane)],
        trustDomain,
        spiffeId: `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`,
        instance: node,
        workload: name,
        metadata: {
          workload: name,
          namespace,
          instance: node,
          ports: [],
          upstreams: upstreams.map((one) => ({ ...one, address: '127.0.0.1' })),
        },
        admin: { host: '127.0.0.1', port: 0 },
      });
    }
  },
});
