import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { bashCompletion } from '../completion/bash.ts';
import { completionModel } from '../completion/completion-model.ts';
import { fishCompletion } from '../completion/fish.ts';
import { zshCompletion } from '../completion/zsh.ts';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export const command: Command = defineCommand({
  summary: 'Print what makes a shell complete commands, options and their values',
  details:
    'bash: source <(tulle completion bash), in ~/.bashrc for good. zsh: tulle completion zsh > "${fpath[1]}/_tulle".\nfish: tulle completion fish > ~/.config/fish/completions/tulle.fish.',
  args: [{ name: 'SHELL', help: 'which shell', choices: Object.keys(SHELLS) }],
  options: {},
  examples: [
    { command: 'source <(tulle completion bash)', does: 'in this shell, now' },
    { command: 'tulle completion zsh > "${fpath[1]}/_tulle"', does: 'in every zsh' },
  ],
  async run({ io, args, commands }) {
    const print = SHELLS[args[0] as keyof typeof SHELLS];
    io.out(print(await completionModel(commands)));
    return EXIT.ok;
  },
});
