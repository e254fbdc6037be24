import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';

export const command: Command = defineCommand({
  summary: "Rotate the issuer, or every workload's certificate, without a failed handshake",
  args: [{ name: 'WHAT', help: 'what to make anew', choices: ['issuer', 'leaves'] }],
  options: { ...API_OPTION },
  examples: [
    { command: 'tulle ca rotate leaves', does: 'new certificates and keys for everyone' },
    { command: 'tulle ca rotate issuer', does: 'a new issuer below the same root' },
  ],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    await client.must('POST', `/api/v1/ca/rotate-${args[0]}`);
    io.err(`rotated: ${args[0]}\n`);
    return EXIT.ok;
  },
});
