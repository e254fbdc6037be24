import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest } from './closest.ts';
import { defineCommand, type Command } from './command.ts';
import { CliError } from './exit-codes.ts';
import { parseCommandLine } from './parse.ts';

const command: Command = defineCommand({
  summary: 'Test',
  args: [{ name: 'KIND', help: 'kind', choices: ['routes', 'clusters'] }],
  options: {
    name: { type: 'string', short: 'n', help: 'name', env: 'TEST_NAME' },
    port: { type: 'list', help: 'port' },
    count: { type: 'number', help: 'count' },
    quiet: { type: 'boolean', short: 'q', help: 'quiet' },
    output: { type: 'string', short: 'o', help: 'format', choices: ['json', 'yaml'] },
  },
  examples: [],
  run: async () => 0,
});
const runner: Command = { ...command, args: [], rest: { name: 'COMMAND', help: 'a program' } };

const fault = (argv: readonly string[], of = command): CliError => {
  try {
    parseCommandLine(of, argv, {});
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('was taken');
};

describe('a command line', () => {
  it('is read with short and long options, lists, numbers and defaults from the environment', () => {
    const read = parseCommandLine(command, ['routes', '-q', '--port', '1', '--port=2', '--count', '3'], {
      TEST_NAME: 'env',
    });
    expect(read).toMatchObject({
      args: ['routes'],
      options: { name: 'env', port: ['1', '2'], count: 3, quiet: true, output: undefined },
    });
    expect(parseCommandLine(command, ['routes', '-n', 'x'], { TEST_NAME: 'env' }).options['name']).toBe('x');
  });

  it('names what is wrong and what was probably meant, with exit code 64', () => {
    expect(fault(['routes', '--nmae', 'x'])).toMatchObject({
      exitCode: 64,
      message: 'unknown option --nmae',
      hint: 'did you mean --name?',
    });
    expect(fault(['route'])).toMatchObject({
      exitCode: 64,
      message: 'KIND cannot be "route"',
      hint: expect.stringContaining('did you mean routes?') as string,
    });
    expect(fault(['routes', '-o', 'jsn'])).toMatchObject({
      hint: expect.stringContaining('did you mean json?') as string,
    });
    expect(fault(['routes', '--count', 'many']).message).toBe('--count must be a number, not "many"');
    expect(fault(['routes', '--name', '--quiet']).message).toBe('--name needs a value');
    expect(fault(['routes', '--quiet=yes']).message).toBe('--quiet takes no value');
    expect(fault(['routes', 'more']).message).toBe('unexpected argument "more"');
    expect(fault([]).message).toBe('KIND is missing');
  });

  it("leaves another program's options alone, with and without --", () => {
    for (const argv of [
      ['-n', 'web', '--', 'node', '-q', '--port'],
      ['-n', 'web', 'node', '-q', '--port'],
    ]) {
      expect(parseCommandLine(runner, argv, {})).toMatchObject({
        options: { name: 'web', quiet: false },
        rest: ['node', '-q', '--port'],
      });
    }
    expect(fault(['-q', '--'], runner).message).toBe('COMMAND is missing');
  });

  it('never fails otherwise than with a usage error, whatever is typed', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '--',
        '-',
        '-n',
        '--name',
        '--name=',
        '--port',
        '-q',
        '--count',
        '--__proto__',
        '--constructor',
        'routes',
      ),
    );
    fc.assert(
      fc.property(fc.array(word), fc.boolean(), (argv, rest) => {
        try {
          parseCommandLine(rest ? runner : command, argv, {});
        } catch (error) {
          if (!(error instanceof CliError && error.exitCode === 64)) throw error;
        }
      }),
    );
  });
});

it('guesses by few edits or by a beginning, and rather not at all', () => {
  expect([
    closest('aplpy', ['apply', 'analyze']),
    closest('stat', ['status', 'get']),
    closest('xyz', ['apply', 'get']),
    closest('', ['a']),
  ]).toEqual(['apply', 'status', undefined, undefined]);
});
