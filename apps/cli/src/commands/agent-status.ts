import { isUnixAddress, formatAddress } from '@tulle/model';
import { tulleDirectories } from '@tulle/sidecar/directories';
import { runningAgents } from '../agent/agent-file.ts';
import type { AgentStatus } from '../agent/start-agent.ts';
import { apiClient } from '../api/api-client.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { ageText, type View } from '../cli/output.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';

export const command: Command = defineCommand({
  summary: 'Show the agents of this machine, and who has their identities',
  details:
    'BEHIND: SDS clients that have not taken the newest yet, or refuse it; -o json names each with its reason.\n' +
    'An agent keeps no key or certificate from this page but their dates: secrets are never shown.',
  args: [{ name: 'NAME', help: 'only agents of this workload', optional: true }],
  options: { ...LIST_OPTIONS },
  examples: [
    { command: 'tulle agent status', does: 'every agent of this user' },
    { command: 'tulle agent status web -o json', does: 'one, with its clients, for a program' },
  ],
  async run({ io, options, args, signal }) {
    const [wanted] = args;
    await showView(io, options, signal, async () => {
      const agents = (await runningAgents(tulleDirectories(io.env).run)).filter(
        ({ name }) => wanted === undefined || name === wanted,
      );
      if (wanted !== undefined && agents.length === 0)
        throw new CliError(
          EXIT.unreachable,
          `no agent of ${wanted} runs on this machine`,
          `start one: tulle agent --name ${wanted}`,
        );
      const rows = await Promise.all(
        agents.map(async ({ name, admin }) =>
          apiClient(isUnixAddress(admin) ? `unix:${admin.path}` : `http://${formatAddress(admin)}`, signal, {
            who: `the agent of ${name}`,
            hint: 'its process may have been killed; tulle agent starts it again',
          }).must<AgentStatus>('GET', '/status'),
        ),
      );
      return { view: viewOf(rows) };
    });
    return EXIT.ok;
  },
});

function viewOf(rows: readonly AgentStatus[]): View<AgentStatus> {
  return {
    rows,
    name: ({ spiffeId }) => spiffeId,
    columns: [
      { header: 'NAME', value: ({ name, namespace }) => `${name}.${namespace}` },
      { header: 'IDENTITY', value: ({ spiffeId }) => spiffeId },
      {
        header: 'OBTAINED',
        value: ({ certificate }) => `${ageText(certificate.obtainedAtMs, Date.now())} ago`,
      },
      { header: 'EXPIRES', value: ({ certificate }) => new Date(certificate.expiresAtMs).toISOString() },
      { header: 'SDS', value: ({ sds }) => sds.length },
      { header: 'BEHIND', value: ({ sds }) => sds.filter(({ upToDate }) => !upToDate).length },
      { header: 'WORKLOAD API', value: ({ workloadApi }) => workloadApi },
      { header: 'SOCKET', value: ({ socket }) => socket, wide: true },
      { header: 'PID', value: ({ pid }) => pid, wide: true },
    ],
    empty: 'No agent runs on this machine. `tulle agent --name NAME` starts one.',
  };
}
