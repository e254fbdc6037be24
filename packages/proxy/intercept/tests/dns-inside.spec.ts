import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { answerTo, readQuestion, type Question } from '../src/dns/dns-message.ts';
import { framed, readFramed } from '../src/dns/framed.ts';
import { networkNamespaces, startDnsResponder, type NetworkNamespace } from '../src/index.ts';
import { whyNoNamespace } from './network-namespace.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

function makeNetwork(): NetworkNamespace {
  const name = `tulle-dns-${randomUUID().slice(0, 8)}`;
  execFileSync('ip', ['netns', 'add', name]);
  undo.push(() => execFileSync('ip', ['netns', 'delete', name]));
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  const inside = networkNamespaces().open({ path: `/run/netns/${name}` });
  undo.push(() => inside.close());
  return inside;
}

/** A query for an address of IPv4 (RFC 1035 §4.1). */
function queryFor(name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  return Buffer.concat([
    Buffer.from([7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...labels,
    Buffer.of(0, 0, 1, 0, 1),
  ]);
}
const familyOf = (host: string): 4 | 6 => (host.includes(':') ? 6 : 4);
const addressIn = (response: Buffer): string => [...response.subarray(-4)].join('.');

it.skipIf(whyNoNamespace() !== undefined)(
  'a DNS responder in another network answers there by UDP and TCP, over IPv4 and IPv6, and asks others from there',
  async () => {
    const inside = makeNetwork();
    // A resolver in there, by both: whoever asks it from elsewhere reaches nobody.
    const resolver = createSocket('udp4').on('message', (query, from) =>
      resolver.send(
        answerTo(query, readQuestion(query) as Question, ['192.0.2.1'], 60),
        from.port,
        from.address,
      ),
    );
    resolver.bind({ fd: inside.datagramSocket(4, {}, { host: '127.0.0.9', port: 5353 }) });
    undo.push(() => resolver.close());
    const overTcp = createServer((socket) =>
      readFramed(socket, (query) =>
        socket.write(framed(answerTo(query, readQuestion(query) as Question, ['192.0.2.2'], 0))),
      ),
    ).listen({ fd: inside.listen({ host: '127.0.0.9', port: 5353 }).fd });
    undo.push(() => overTcp.close());
    const responder = await startDnsResponder({
      port: 53,
      resolvers: () => ['127.0.0.9'],
      resolverPort: 5353,
      sockets: {
        bindUdp: (host, port) => inside.datagramSocket(familyOf(host), {}, { host, port }),
        listenTcp: (host, port) => inside.listen({ host, port }).fd,
        open: (transport, host) =>
          transport === 'udp' ? inside.datagramSocket(familyOf(host)) : inside.socket(familyOf(host)),
      },
    });
    undo.push(() => responder.close());
    responder.know(new Map([['shop', ['127.200.0.1']]]));
    expect([responder.port, responder.ipv6]).toEqual([53, true]);
    for (const host of ['127.0.0.1', '::1']) {
      const udp = createSocket(familyOf(host) === 4 ? 'udp4' : 'udp6');
      udp.bind({ fd: inside.datagramSocket(familyOf(host)) });
      const tcp = new Socket({ fd: inside.socket(familyOf(host)) }).connect(53, host);
      const overUdp = async (name: string): Promise<string> => {
        udp.send(queryFor(name), 53, host);
        return addressIn(((await once(udp, 'message')) as [Buffer])[0]);
      };
      const byTcp = async (name: string): Promise<string> => {
        const answer = Promise.withResolvers<Buffer>();
        tcp.removeAllListeners('data');
        readFramed(tcp, answer.resolve);
        tcp.write(framed(queryFor(name)));
        return addressIn(await answer.promise);
      };
      expect([await overUdp('shop'), await byTcp('shop')]).toEqual(['127.200.0.1', '127.200.0.1']);
      // Kept from the first time on, whoever asks; a lifetime of nothing is not.
      expect([await byTcp(`${familyOf(host)}.test`), await overUdp(`${familyOf(host)}.test`)]).toEqual([
        '192.0.2.2',
        '192.0.2.1',
      ]);
      udp.close();
      tcp.destroy();
    }
    await expect(
      startDnsResponder({ port: 53, sockets: { ...closed, bindUdp: () => taken(inside) } }),
    ).rejects.toThrow(/cannot listen on 127\.0\.0\.1:53 for UDP: bind failed with EADDRINUSE/);
  },
);

const closed = { listenTcp: () => 0, open: () => undefined };
const taken = (inside: NetworkNamespace): number =>
  inside.datagramSocket(4, {}, { host: '127.0.0.1', port: 53 });
