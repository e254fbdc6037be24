import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kernelDestinations, networkNamespaces, type NetworkNamespace } from '../src/index.ts';
import { whyNoNamespace } from './network-namespace.ts';

const missing = whyNoNamespace();
const MARK = 0x7c11;

describe.skipIf(missing !== undefined)(
  `network namespaces${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    const open: { close(): unknown }[] = [];
    const names: string[] = [];
    let spaces: ReturnType<typeof networkNamespaces>;
    let inside: NetworkNamespace;

    const make = (): NetworkNamespace => {
      const name = `tulle-ns-${randomUUID().slice(0, 8)}`;
      names.push(name);
      execFileSync('ip', ['netns', 'add', name]);
      execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
      execFileSync('ip', ['-n', name, 'address', 'add', 'fd00::2/128', 'dev', 'lo']);
      const made = spaces.open({ path: `/run/netns/${name}` });
      open.push(made);
      return made;
    };
    beforeEach(() => {
      spaces = networkNamespaces();
      open.push(spaces.own);
      inside = make();
    });
    afterEach(() => {
      for (const one of open.splice(0).toReversed()) one.close();
      for (const name of names.splice(0)) execFileSync('ip', ['netns', 'delete', name]);
    });

    const serve = async (
      from: NetworkNamespace,
      host: string,
      port = 0,
    ): Promise<{ server: Server; port: number }> => {
      const { fd, address } = from.listen({ host, port });
      const server = createServer((socket) => socket.end(`${address.port} for ${socket.remoteAddress}`));
      open.push(server);
      server.listen({ fd });
      await once(server, 'listening');
      return { server, port: address.port };
    };
    /** @returns what it was told, or why not */
    const ask = async (socket: Socket): Promise<string> => {
      try {
        return await text(socket);
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? String(error);
      }
    };
    const dial = async (
      from: NetworkNamespace,
      host: string,
      port: number,
      mark?: number,
    ): Promise<string> => {
      const fd = from.socket(host.includes(':') ? 6 : 4, mark === undefined ? {} : { mark });
      return ask(new Socket({ fd }).connect(port, host));
    };

    it('have sockets that listen and connect inside, and the process stays where it is', async () => {
      const other = make();
      for (const host of ['127.0.0.1', 'fd00::2']) {
        // Held outside too, so that no one else has the same number there.
        const outside = createServer((socket) => socket.end('outside')).listen(0, '::');
        open.push(outside);
        await once(outside, 'listening');
        const { port } = await serve(inside, host, (outside.address() as AddressInfo).port);
        expect(await dial(inside, host, port)).toBe(`${port} for ${host}`);
        expect(await dial(other, host, port)).toBe('ECONNREFUSED');
        expect(await ask(connect(port, host === '127.0.0.1' ? host : '::1'))).toBe('outside');
      }
    });

    it('have a queue before anybody accepts', async () => {
      const { fd, address } = inside.listen({ host: '127.0.0.1', port: 0 });
      const early = new Socket({ fd: inside.socket(4) }).connect(address.port, '127.0.0.1');
      await once(early, 'connect');
      const server = createServer((socket) => socket.end('late'));
      open.push(server);
      server.listen({ fd });
      expect(await ask(early)).toBe('late');
    });

    it('tell marked packets from others, and where a connection was going', async () => {
      const { server, port } = await serve(inside, '::');
      const plain = await serve(inside, '127.0.0.1');
      const rules = `table inet t {
      chain o {
        type nat hook output priority -100
        meta mark ${MARK} tcp dport 7777 redirect to :${port}
        tcp dport 7777 redirect to :${plain.port}
      }
    }\n`;
      inside.run(() => execFileSync('nft', ['-f', '-'], { input: rules }));
      const destinations: unknown[] = [];
      const destinationOf = kernelDestinations();
      server.on('connection', (socket) =>
        destinations.push(destinationOf((socket as unknown as { _handle: { fd: number } })._handle.fd)),
      );
      expect(await dial(inside, '127.0.0.5', 7777, MARK)).toBe(`${port} for ::ffff:127.0.0.1`);
      expect(await dial(inside, '127.0.0.5', 7777)).toBe(`${plain.port} for 127.0.0.1`);
      expect(await dial(inside, 'fd00::2', 7777, MARK)).toBe(`${port} for fd00::2`);
      expect(destinations).toEqual([
        { host: '127.0.0.5', port: 7777 },
        { host: 'fd00::2', port: 7777 },
      ]);
    });

    it('are known by their ids, whichever way they were found, and are entered from one another', async () => {
      const program = inside.run(() => spawn('sleep', ['60']));
      const ended = once(program, 'exit');
      const same = spaces.open({ pid: program.pid as number });
      const other = make();
      open.push(same);
      const here = (): string => execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).trim();
      expect(same.id).toBe(inside.id);
      expect(other.id).not.toBe(inside.id);
      expect([inside.run(here), inside.run(() => [here(), other.run(here), here()]), here()]).toEqual([
        inside.id,
        [inside.id, other.id, inside.id],
        spaces.own.id,
      ]);
      program.kill();
      await ended;
    });

    it('live while they are held, and their sockets with them', async () => {
      const { port } = await serve(inside, '127.0.0.1');
      execFileSync('ip', ['netns', 'delete', names.pop() as string]);
      expect(await dial(inside, '127.0.0.1', port)).toBe(`${port} for 127.0.0.1`);
    });

    it('leave no descriptor to child processes', () => {
      const { fd } = inside.listen({ host: '127.0.0.1', port: 0 });
      expect(
        execFileSync('sh', ['-c', `readlink /proc/self/fd/${fd} || true`], { encoding: 'utf8' }),
      ).not.toContain('socket:');
    });

    it('say what is wrong', async () => {
      const { port } = await serve(inside, '127.0.0.1');
      expect(() => inside.listen({ host: '127.0.0.1', port })).toThrow(
        `cannot listen on 127.0.0.1:${port}: bind failed with EADDRINUSE, another process has that address`,
      );
      expect(() => inside.listen({ host: '10.9.8.7', port: 1 })).toThrow(
        /10\.9\.8\.7:1: bind failed with EADDRNOTAVAIL/,
      );
      expect(() => inside.listen({ host: 'web', port: 1 })).toThrow('"web" is no IP address');
      expect(() => spaces.open({ path: '/run/netns/absent' })).toThrow(
        'no network namespace at /run/netns/absent',
      );
      expect(() => spaces.open({ path: '/dev/null' }).run(() => 1)).toThrow(/setns failed with EINVAL/);
      expect(() => inside.run(async () => Promise.resolve(1))).toThrow('must not await anything');
      expect(() =>
        inside.run(() => {
          throw new Error('mine');
        }),
      ).toThrow('mine');
      inside.close();
      expect(() => inside.run(() => 1)).toThrow('was closed');
      const own = createServer().listen(0, '127.0.0.1');
      open.push(own);
      await once(own, 'listening');
      const address = own.address() as AddressInfo;
      const found = connect(address.port, '127.0.0.1');
      await once(found, 'connect');
      found.destroy();
    });
  },
);
