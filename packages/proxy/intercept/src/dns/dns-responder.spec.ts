import { createSocket, Socket, type RemoteInfo } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { answerTo, readQuestion, type Question } from './dns-message.ts';
import { startDnsResponder, type DnsResponder, type DnsResponderOptions } from './dns-responder.ts';
import { framed, readFramed } from './framed.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

async function responderWith(options: DnsResponderOptions): Promise<DnsResponder> {
  const responder = await startDnsResponder(options);
  open.push(responder);
  return responder;
}

/** A resolver elsewhere: answers each query with 192.0.2.N, N the number of the query. */
async function elsewhere(): Promise<{ port: number; asked: string[]; socket: Socket }> {
  const socket = createSocket('udp4');
  open.push(socket);
  const asked: string[] = [];
  socket.on('message', (query, from) => {
    const question = readQuestion(query) as Question;
    asked.push(question.name);
    socket.send(answerTo(query, question, [`192.0.2.${asked.length}`], 60), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { port: socket.address().port, asked, socket };
}

function resolverAt(port: number, host = '127.0.0.1'): Resolver {
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`]);
  return resolver;
}

describe('a DNS responder', () => {
  it('answers for names of the mesh itself, over IPv4 and IPv6, and has nothing but addresses of IPv4', async () => {
    const responder = await responderWith({ resolvers: () => [] });
    responder.know(new Map([['orders.shop', ['127.200.0.9']]]));
    for (const host of responder.ipv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'])
      expect(await resolverAt(responder.port, host).resolve4('Orders.shop', { ttl: true })).toEqual([
        { address: '127.200.0.9', ttl: 30 },
      ]);
    await expect(resolverAt(responder.port).resolve6('orders.shop')).rejects.toThrow('ENODATA');
    await expect(resolverAt(responder.port).resolve4('absent')).rejects.toThrow('ESERVFAIL');
    expect(responder.counters).toMatchObject({ failed: 1, cached: 0 });
  });

  it('asks others for the rest, once as long as it holds', async () => {
    const { port, asked } = await elsewhere();
    const responder = await responderWith({ resolvers: () => ['127.0.0.1'], resolverPort: port });
    responder.know(new Map());
    for (let n = 0; n < 3; n++)
      expect(await resolverAt(responder.port).resolve4('example.org')).toEqual(['192.0.2.1']);
    expect(await resolverAt(responder.port).resolve4('example.net')).toEqual(['192.0.2.2']);
    expect(asked).toEqual(['example.org', 'example.net']);
    expect(responder.counters).toEqual({ known: 0, forwarded: 2, cached: 2, failed: 0, refused: 0 });
  });

  it('answers nobody who asks from port 0', async () => {
    const responder = await responderWith({ resolvers: () => [] });
    responder.know(new Map([['orders.shop', ['127.200.0.9']]]));
    // Only a raw socket could send from there.
    const fromPort0 = function (this: Socket, event: string, ...args: unknown[]): boolean {
      if (event === 'message') (args[1] as RemoteInfo).port = 0;
      return EventEmitter.prototype.emit.call(this, event, ...args);
    };
    Object.defineProperty(Socket.prototype, 'emit', { configurable: true, value: fromPort0 });
    open.push({ close: () => Reflect.deleteProperty(Socket.prototype, 'emit') });
    const asking = resolverAt(responder.port);
    const asked = asking.resolve4('orders.shop');
    await expect.poll(() => responder.counters.known).toBe(1);
    Reflect.deleteProperty(Socket.prototype, 'emit');
    asking.cancel();
    await expect(asked).rejects.toThrow('ECANCELLED');
    expect(await resolverAt(responder.port).resolve4('orders.shop')).toEqual(['127.200.0.9']);
  });

  it('passes over a resolver that is not there', async () => {
    const { port } = await elsewhere();
    const responder = await responderWith({
      resolvers: () => ['127.0.0.77', '127.0.0.1'],
      resolverPort: port,
    });
    responder.know(new Map());
    expect(await resolverAt(responder.port).resolve4('example.org')).toEqual(['192.0.2.1']);
  });

  it('passes over a resolver to which there is no way', async () => {
    const { port } = await elsewhere();
    const responder = await responderWith({
      // From a socket that no device was chosen for, the kernel leads nobody to a link-local address (ipv6(7)).
      resolvers: () => ['fe80::1', '127.0.0.1'],
      resolverPort: port,
    });
    responder.know(new Map());
    expect(await resolverAt(responder.port).resolve4('example.org')).toEqual(['192.0.2.1']);
  });

  it('cuts a connection that asks and asks and does not read', async () => {
    const responder = await responderWith({ resolvers: () => [] });
    responder.know(new Map([['a', ['127.200.0.9']]]));
    const query = Buffer.from('00010100000100000000000001610000010001', 'hex');
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => framed(query)));
    const socket = connect(responder.port, '127.0.0.1').pause();
    const cut = new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
    const more = (error?: Error | null): void => void (error ?? socket.write(many, more));
    more();
    await cut;
    expect(responder.counters.known).toBeGreaterThan(1_000);
  });

  it('lets queries wait for the names, so many and no more', async () => {
    const responder = await responderWith({ resolvers: () => [] });
    const early = resolverAt(responder.port).resolve4('orders');
    const flood = createSocket('udp4');
    open.push(flood);
    const refusedOne = once(flood, 'message');
    const query = Buffer.from('0001010000010000000000000161000001 0001'.replace(' ', ''), 'hex');
    // Some of them may be lost on the way: so many that enough arrive.
    for (let n = 0; n < 5_000 && responder.counters.refused === 0; n++) {
      flood.send(query, responder.port, '127.0.0.1');
      if (n % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
    const [refused] = (await refusedOne) as [Buffer];
    expect((refused[3] as number) & 0x0f).toBe(5);
    responder.know(new Map([['orders', ['127.200.0.9']]]));
    expect(await early).toEqual(['127.200.0.9']);
  });

  it('speaks TCP, several queries a connection', async () => {
    const responder = await responderWith({ resolvers: () => [] });
    responder.know(new Map([['a', ['127.200.0.9']]]));
    const query = Buffer.from('00010100000100000000000001610000010001', 'hex');
    const socket = connect(responder.port, '127.0.0.1');
    const answers: Buffer[] = [];
    const both = Promise.withResolvers<void>();
    readFramed(socket, (bytes) => {
      if (answers.push(Buffer.from(bytes)) === 2) both.resolve();
    });
    const twice = Buffer.concat([framed(query), framed(query)]);
    socket.write(twice.subarray(0, 5));
    socket.write(twice.subarray(5));
    await both.promise;
    expect(answers.map((bytes) => [...bytes.subarray(-4)])).toEqual([
      [127, 200, 0, 9],
      [127, 200, 0, 9],
    ]);
    socket.destroy();
  });
});
