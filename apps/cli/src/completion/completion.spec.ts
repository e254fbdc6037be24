import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../commands.ts';
import { bashCompletion } from './bash.ts';
import { completionModel, type CompletionModel } from './completion-model.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

let model: CompletionModel;
beforeAll(async () => {
  model = await completionModel(COMMANDS);
});

const run = (shell: string, script: string): string => {
  const { stdout, stderr, status } = spawnSync(shell, ['-c', script], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.trim();
};
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;

describe.runIf(has('bash'))('in bash, tulle completes', () => {
  it.each([
    [['statu'], ['status']],
    [
      ['token', ''],
      ['create', 'list', 'revoke'],
    ],
    [
      ['run', '--na'],
      ['--name', '--namespace'],
    ],
    [
      ['status', '-o', ''],
      ['table', 'wide', 'json', 'yaml', 'jsonl', 'name', 'jsonpath='],
    ],
    [
      ['get', 'services', '--output', 'js'],
      ['json', 'jsonl', 'jsonpath='],
    ],
    [['status', '--output', '=', 'y'], ['yaml']],
    [['config', '-o', 'json', 'ro'], ['routes']],
    [['config', 'routes', 'l'], []],
    [['status', '-n', ''], []],
    [['nothing', ''], []],
  ])('%j', (words, expected) => {
    const line = ['tulle', ...words].map((word) => `'${word}'`).join(' ');
    const asked = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; compopt() { :; }; _tulle; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = run('bash', `${bashCompletion(model)}\n${asked}`);
    expect(found === '' ? [] : found.split('\n')).toEqual(expected);
  });
});

describe.runIf(has('fish'))('in fish, tulle completes', () => {
  it.each([
    ['tulle statu', ['status']],
    ['tulle token ', ['create', 'list', 'revoke']],
    ['tulle run --na', ['--name', '--namespace']],
    ['tulle config ro', ['routes']],
    ['tulle status --output js', ['json', 'jsonl', 'jsonpath=']],
  ])('%s', (line, expected) => {
    const found = run('fish', `${fishCompletion(model)}\ncomplete -C '${line}'`);
    expect(found.split('\n').map((one) => one.split('\t')[0])).toEqual(expected);
  });
});

it.runIf(has('zsh'))('zsh takes its function', () => {
  expect(
    run('zsh', `autoload -U compinit && compinit -D -u\n${zshCompletion(model)}\nwhich _tulle | head -1`),
  ).toBe('_tulle () {');
});

it('every shell is told of every command and option', () => {
  for (const script of [bashCompletion(model), fishCompletion(model), zshCompletion(model)])
    for (const { name, options } of model.commands) {
      for (const word of name.split(' ')) expect(script).toContain(word);
      for (const { long } of options) expect(script).toContain(long);
    }
});
