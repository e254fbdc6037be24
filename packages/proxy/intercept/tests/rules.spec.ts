import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  captureCommands,
  dropCommands,
  dropRules,
  holdRules,
  holdRulesFor,
  keepRules,
  makeCgroup,
  networkNamespaces,
  sweepCgroups,
  type CaptureRules,
  type Cgroup,
  type HeldRules,
  type NetworkNamespace,
} from '../src/index.ts';
import { whyNoNamespace } from './network-namespace.ts';

const missing = whyNoNamespace() ?? whyNoCgroup();

function whyNoCgroup(): string | undefined {
  try {
    makeCgroup('tulle-probe').remove();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Says where it got to: the port it is answered by. */
const CALL = `require('node:net').connect(7777, process.argv[1]).on('data', (bytes) => process.stdout.write(bytes)).on('error', (error) => process.stdout.write(error.code))`;

describe.skipIf(missing !== undefined)(
  `capture rules in force${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    const undo: (() => unknown)[] = [];
    let inside: NetworkNamespace;
    let group: Cgroup;
    let proxyPort: number;

    beforeEach(async () => {
      const name = `tulle-rules-${randomUUID().slice(0, 8)}`;
      execFileSync('ip', ['netns', 'add', name]);
      undo.push(() => execFileSync('ip', ['netns', 'delete', name]));
      execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
      inside = networkNamespaces().open({ path: `/run/netns/${name}` });
      undo.push(() => inside.close());
      group = makeCgroup(name);
      undo.push(() => group.remove());
      proxyPort = await serve('::', 0, 'proxy');
      await serve('127.0.0.1', 7777, 'there');
      await serve('::1', 7777, 'there');
    });
    afterEach(async () => {
      for (const step of undo.splice(0).toReversed()) await step();
    });

    const serve = async (host: string, port: number, says: string): Promise<number> => {
      const { fd, address } = inside.listen({ host, port });
      const server = createServer((socket) => socket.end(says));
      undo.push(() => server.close());
      server.listen({ fd });
      await once(server, 'listening');
      return address.port;
    };
    const rules = (more: Partial<CaptureRules> = {}): CaptureRules => ({
      scope: { kind: 'cgroup', path: group.path },
      spare: {},
      outbound: { port: proxyPort, port6: proxyPort },
      ...more,
    });
    const hold = async (given: CaptureRules, closed = false): Promise<HeldRules> => {
      const table = `t_${randomUUID().slice(0, 8)}`;
      const commands = captureCommands(table, given);
      const options = { cgroupMount: group.mount };
      const held = await inside.run(() => ({
        rules: closed
          ? holdRulesFor(group.directory, table, commands, options)
          : holdRules(table, commands, options),
      })).rules;
      undo.push(() => held.release());
      return held;
    };
    const inGroup = (directory: string, ...command: string[]): ChildProcess => {
      const enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
      return inside.run(() =>
        spawn('/bin/sh', ['-c', enter, directory, ...command], { stdio: ['pipe', 'pipe', 'inherit'] }),
      );
    };
    /** What a process of the cgroup is told, or one of no cgroup of ours. */
    const call = async (host = '127.0.0.1', directory?: string): Promise<string> => {
      const program =
        directory === undefined
          ? inside.run(() =>
              spawn(process.execPath, ['-e', CALL, host], { stdio: ['ignore', 'pipe', 'inherit'] }),
            )
          : inGroup(directory, process.execPath, '-e', CALL, host);
      return text(program.stdout as NonNullable<ChildProcess['stdout']>);
    };
    const tables = (): string =>
      inside.run(() => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }));

    it('lead what a cgroup begins, over IPv4 and IPv6, and nothing else', async () => {
      await hold(rules());
      for (const host of ['127.0.0.1', '::1'])
        expect([await call(host, group.directory), await call(host)]).toEqual(['proxy', 'there']);
    });

    it('spare a cgroup, a port, and a network', async () => {
      const proxies = makeCgroup(`${group.path.split('/').at(-1)}-proxy`);
      undo.push(() => proxies.remove());
      const held = await hold(rules({ scope: { kind: 'namespace' }, spare: { cgroups: [proxies.path] } }));
      expect([await call(), await call('::1', proxies.directory)]).toEqual(['proxy', 'there']);
      await held.release();
      const outbound = { port: proxyPort, port6: proxyPort };
      const two = await hold(rules({ outbound: { ...outbound, excludePorts: [7777] } }));
      expect(await call('::1', group.directory)).toBe('there');
      await two.release();
      await hold(rules({ outbound: { ...outbound, excludeCidrs: ['127.0.0.0/8'] } }));
      expect([await call('::1', group.directory), await call('127.0.0.1', group.directory)]).toEqual([
        'proxy',
        'there',
      ]);
    });

    it('lead what some users begin, over IPv4 and IPv6, and spare others', async () => {
      /** Some user that nobody is, as this test is root. */
      const uid = 64_999;
      const callAs = async (host: string): Promise<string> => {
        const program = inside.run(() =>
          spawn('/bin/bash', ['-c', `cat <"/dev/tcp/${host}/7777"`], {
            uid,
            cwd: '/',
            stdio: ['ignore', 'pipe', 'inherit'],
          }),
        );
        return text(program.stdout);
      };
      const some = await hold(rules({ scope: { kind: 'users', ids: [uid] } }));
      for (const host of ['127.0.0.1', '::1'])
        expect([await callAs(host), await call(host)]).toEqual(['proxy', 'there']);
      await some.release();
      await hold(rules({ scope: { kind: 'namespace' }, spare: { users: [uid] } }));
      for (const host of ['127.0.0.1', '::1'])
        expect([await callAs(host), await call(host)]).toEqual(['there', 'proxy']);
    });

    it('lead what others begin at a port of the machine', async () => {
      const { outbound: _, ...none } = rules();
      await hold({ ...none, inbound: [{ port: 7777, to: proxyPort }] });
      expect([await call(), await call('::1', group.directory)]).toEqual(['proxy', 'proxy']);
    });

    it('leave alone what was under way', async () => {
      const { fd, address } = inside.listen({ host: '127.0.0.1', port: 0 });
      const echo = createServer((socket) => socket.pipe(socket)).listen({ fd });
      undo.push(() => echo.close());
      const before = new Socket({ fd: inside.socket(4) }).connect(address.port, '127.0.0.1');
      await once(before, 'connect');
      await hold(rules({ scope: { kind: 'namespace' }, spare: {} }));
      before.write('still here');
      expect(String((await once(before, 'data'))[0])).toBe('still here');
      before.destroy();
    });

    it('go when they are released, or who holds them is killed, and say what is wrong with them', async () => {
      const held = await hold(rules());
      expect(tables()).toContain(held.table);
      await held.release();
      expect(tables()).toBe('');
      const other = await hold(rules());
      process.kill(other.pid, 'SIGKILL');
      await other.ended;
      expect(tables()).toBe('');
      await expect(hold(rules({ scope: { kind: 'cgroup', path: '/tulle-absent' } }))).rejects.toThrow(
        /could not be put into force: .*cgroup/,
      );
      expect(tables()).toBe('');
    });

    it('leave nobody behind that was to guard rules which are wrong', async () => {
      const wrong = rules({ scope: { kind: 'cgroup', path: '/tulle-absent' } });
      await expect(hold(wrong, true)).rejects.toThrow(/could not be put into force: .*cgroup/);
      await until(() => !childrenOf(process.pid).some((line) => line.includes('guard-main')));
    });

    it('name cgroups that are swept when their proxy is gone, and not while they are only not used yet', async () => {
      const name = `tulle-sweep-${randomUUID().slice(0, 8)}`;
      const proxyOf = (entry: string): string => `${entry}-proxy`;
      const proxies = makeCgroup(proxyOf(name));
      const programs = makeCgroup(name);
      undo.push(() => [proxies.remove(), programs.remove()]);
      const proxy = inGroup(proxies.directory, 'cat');
      await until(() => proxies.processes().length === 1);
      const sweep = (): boolean[] => {
        sweepCgroups(new RegExp(`^${name}(?:-proxy)?$`), proxyOf);
        return [existsSync(proxies.directory), existsSync(programs.directory)];
      };
      expect(sweep()).toEqual([true, true]);
      proxy.kill('SIGKILL');
      await once(proxy, 'close');
      await until(() => proxies.processes().length === 0);
      expect(sweep()).toEqual([false, false]);
    });

    it('stay where they belong to nobody, and are replaced in one step, taken away, or followed by such as are held', async () => {
      const keep = async (more: Partial<CaptureRules>): Promise<void> => {
        const commands = captureCommands('kept', { ...rules(more), scope: { kind: 'namespace' } }, 'why');
        await inside.run(() => ({ done: keepRules('kept', commands) })).done;
      };
      await keep({});
      expect([await call(), tables()]).toEqual(['proxy', 'table inet kept\n']);
      await keep({ outbound: { port: proxyPort, excludePorts: [7777] } });
      expect([await call(), tables()]).toEqual(['there', 'table inet kept\n']);
      await keep({});
      const commands = captureCommands('held', rules({ scope: { kind: 'namespace' } }));
      const held = await inside.run(() => ({
        rules: holdRules('held', `${dropCommands('kept')}; ${commands}`),
      })).rules;
      expect([await call(), tables()]).toEqual(['proxy', 'table inet held\n']);
      await held.release();
      await keep({});
      for (let n = 0; n < 2; n++) await inside.run(() => ({ done: dropRules('kept') })).done;
      expect([await call(), tables()]).toEqual(['there', '']);
      const wrong = inside.run(() => ({ done: keepRules('kept', 'create nonsense') })).done;
      await expect(wrong).rejects.toThrow(/could not be put into force: Error: syntax error/);
      expect(tables()).toBe('');
    });

    it('outlive their owner as long as the cgroup has processes, where they are to', async () => {
      const program = inGroup(group.directory, 'cat');
      const started = text(program.stdout as NonNullable<ChildProcess['stdout']>);
      program.stdin?.write('\n');
      await once(program, 'spawn');
      await until(() => group.processes().length === 1);
      const owner = inside.run(() =>
        spawn(
          process.execPath,
          [
            new URL('rule-owner.ts', import.meta.url).pathname,
            group.directory,
            'closed',
            JSON.stringify(rules()),
            group.mount,
          ],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        ),
      );
      await once(owner.stdout, 'data');
      expect(tables()).toContain('closed');
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      expect([await call('127.0.0.1', group.directory), tables()]).toEqual([
        'proxy',
        expect.stringContaining('closed'),
      ]);
      program.stdin?.end();
      await started;
      await until(() => tables() === '');
    });
  },
);

/** The kernel tells nobody; this looks until it is so, or the test's own time is over. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The command line of each. */
function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8'));
}
