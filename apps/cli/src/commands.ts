import type { Command, CommandEntry } from './cli/command.ts';

const entry = (
  name: string,
  summary: string,
  load: () => Promise<{ readonly command: Command }>,
): CommandEntry => ({
  name,
  summary,
  load: async () => (await load()).command,
});

/** Every command, in the order of the help. Each is loaded when it is used, so that `tulle --help` is quick. */
export const COMMANDS: readonly CommandEntry[] = [
  entry(
    'run',
    'run a program in the mesh: it, and a sidecar beside it',
    async () => import('./commands/run.ts'),
  ),
  entry('wait', 'wait until a proxy of this machine takes calls', async () => import('./commands/wait.ts')),
  entry(
    'gateway',
    'run a gateway: where the world enters the mesh',
    async () => import('./commands/gateway.ts'),
  ),
  entry(
    'node-proxy',
    'run the proxy of a node, for many workloads',
    async () => import('./commands/node-proxy.ts'),
  ),
  entry(
    'node-proxy add',
    "give a workload to this node's proxy",
    async () => import('./commands/node-proxy-add.ts'),
  ),
  entry(
    'node-proxy remove',
    "take a workload from this node's proxy",
    async () => import('./commands/node-proxy-remove.ts'),
  ),
  entry(
    'node-proxy list',
    "show the workloads of this node's proxy",
    async () => import('./commands/node-proxy-list.ts'),
  ),
  entry('proxy', 'run a proxy from an Envoy bootstrap', async () => import('./commands/proxy.ts')),
  entry(
    'agent',
    "give a workload's identity to Envoy and others on this machine",
    async () => import('./commands/agent.ts'),
  ),
  entry(
    'agent status',
    'show the agents of this machine, and who has their identities',
    async () => import('./commands/agent-status.ts'),
  ),
  entry(
    'apply',
    'put resources into the mesh: all of them, or none',
    async () => import('./commands/apply.ts'),
  ),
  entry('get', 'show resources of the mesh', async () => import('./commands/get.ts')),
  entry('delete', 'remove resources from the mesh', async () => import('./commands/delete.ts')),
  entry(
    'analyze',
    'check resource files without a control plane',
    async () => import('./commands/analyze.ts'),
  ),
  entry(
    'status',
    'show every proxy, and whether it has what it should have',
    async () => import('./commands/status.ts'),
  ),
  entry(
    'explain',
    'explain why a request went as it did, or would go',
    async () => import('./commands/explain.ts'),
  ),
  entry(
    'config',
    'show what a proxy should have, and what it has',
    async () => import('./commands/config.ts'),
  ),
  entry(
    'stat',
    'show rate, success and latency of services, or what the mesh costs them',
    async () => import('./commands/stat.ts'),
  ),
  entry(
    'edges',
    'show who calls whom, and whether the way between them is secured',
    async () => import('./commands/edges.ts'),
  ),
  entry(
    'metrics',
    'print the metrics of a proxy of this machine',
    async () => import('./commands/metrics.ts'),
  ),
  entry(
    'log-level',
    'turn the log of a proxy of this machine up or down',
    async () => import('./commands/log-level.ts'),
  ),
  entry('check', 'check this machine and the mesh', async () => import('./commands/check.ts')),
  entry(
    'token create',
    'make a join token: it admits one workload once',
    async () => import('./commands/token-create.ts'),
  ),
  entry('token list', 'show join tokens', async () => import('./commands/token-list.ts')),
  entry(
    'token revoke',
    'make join tokens worthless that were not used yet',
    async () => import('./commands/token-revoke.ts'),
  ),
  entry(
    'ca status',
    'show roots, issuers and who holds certificates',
    async () => import('./commands/ca-status.ts'),
  ),
  entry(
    'ca rotate',
    'rotate the issuer, or every certificate',
    async () => import('./commands/ca-rotate.ts'),
  ),
  entry(
    'ca rotate-root',
    'replace the root without a failed handshake',
    async () => import('./commands/ca-rotate-root.ts'),
  ),
  entry(
    'mtls status',
    'show which ports ask for mutual TLS, and who comes in plain text',
    async () => import('./commands/mtls-status.ts'),
  ),
  entry(
    'mtls enforce',
    'ask for mutual TLS, and nothing else, where plain text is still taken',
    async () => import('./commands/mtls-enforce.ts'),
  ),
  entry(
    'certificate create',
    'make a certificate that signs itself, to try HTTPS',
    async () => import('./commands/certificate-create.ts'),
  ),
  entry(
    'xds put',
    'put xDS resources for a node: clients get them unchanged',
    async () => import('./commands/xds-put.ts'),
  ),
  entry(
    'xds get',
    'show one xDS resource of a node, as it was put',
    async () => import('./commands/xds-get.ts'),
  ),
  entry('xds list', 'show the xDS resources of a node', async () => import('./commands/xds-list.ts')),
  entry('xds delete', 'remove xDS resources of a node', async () => import('./commands/xds-delete.ts')),
  entry(
    'xds status',
    'show what clients took and refused of the xDS resources that were put',
    async () => import('./commands/xds-status.ts'),
  ),
  entry(
    'xds bootstrap',
    'print a bootstrap for Envoy, gRPC or tulle proxy',
    async () => import('./commands/xds-bootstrap.ts'),
  ),
  entry(
    'control-plane',
    'run the control plane of this machine',
    async () => import('./commands/control-plane.ts'),
  ),
  entry(
    'filters allow',
    'let proxies load the filters of an npm package, as it is installed now',
    async () => import('./commands/filters-allow.ts'),
  ),
  entry(
    'filters list',
    'show which filters proxies may load, and whether they are what was allowed',
    async () => import('./commands/filters-list.ts'),
  ),
  entry(
    'completion',
    'print what makes a shell complete commands and options',
    async () => import('./commands/completion.ts'),
  ),
  entry('version', 'show the version', async () => import('./commands/version.ts')),
];
