import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';

export const command: Command = defineCommand({
  summary: 'Make join tokens worthless that were not used yet',
  args: [{ name: 'ID', help: 'as in tulle token list', many: true }],
  options: { ...API_OPTION },
  examples: [{ command: 'tulle token revoke 0f3a5c7b9d1e2f40', does: 'nobody joins with this one' }],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    for (const id of args) {
      await client.must('DELETE', `/api/v1/join-tokens/${encodeURIComponent(id)}`);
      io.err(`revoked: ${id}\n`);
    }
    return EXIT.ok;
  },
});
