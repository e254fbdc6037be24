import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { DnsCache, type DnsTransport } from './dns-cache.ts';
import { answerTo, RCODE_REFUSED, RCODE_SERVFAIL, readQuestion, refusalOf, TYPE_A } from './dns-message.ts';
import { framed, readFramed } from './framed.ts';
import { askResolvers, systemResolvers, type ResolverSockets } from './resolvers.ts';

/** Queries under way with other resolvers, or waiting for names. More are refused: a program has a few. */
const MAX_PENDING = 1_000;
/** Connections at a time. */
const MAX_CONNECTIONS = 100;
const CONNECTION_IDLE_MS = 10_000;
/** Answers that a connection does not read; one that lets more gather is cut. */
const MAX_UNREAD_BYTES = 256 * 1024;
/** Virtual addresses seldom change; a Service that is gone is forgotten in this time. */
const TTL_SECONDS = 30;
/** A port must be free four times over, so several may be tried. */
const MAX_PORT_TRIES = 20;

/** Makes the sockets of a responder that is to be in another network. */
export interface DnsSockets extends ResolverSockets {
  /** Descriptor of a UDP socket that is bound there. @throws an error whose `code` says why, as `EADDRNOTAVAIL` */
  bindUdp(host: string, port: number): number;
  /** Descriptor of a TCP socket that listens there. @throws as above */
  listenTcp(host: string, port: number): number;
}

/** Options of {@link startDnsResponder}. */
export interface DnsResponderOptions {
  /** Port at 127.0.0.1 and ::1, by UDP and TCP. Default 0: one that is free. */
  readonly port?: number;
  /** Who is asked for names that are not known here; asked for each query. Default: those of `/etc/resolv.conf`. */
  readonly resolvers?: () => readonly string[];
  readonly resolverPort?: number;
  /** Default: in the network of this process. */
  readonly sockets?: DnsSockets;
}

/** What a responder did. */
export interface DnsCounters {
  /** Answered with addresses of the mesh. */
  readonly known: number;
  /** Asked of other resolvers. */
  readonly forwarded: number;
  /** Answered as before. */
  readonly cached: number;
  /** Nobody answered. */
  readonly failed: number;
  /** Too many at a time. */
  readonly refused: number;
}

/** A DNS responder for captured programs: knows names of the mesh, and asks others for the rest. */
export interface DnsResponder {
  readonly port: number;
  readonly counters: DnsCounters;
  /** Whether it serves IPv6 too: not where the machine has none. */
  readonly ipv6: boolean;
  /** Names that are known from now on, lower case without the last dot, to addresses of IPv4. Before, queries wait. */
  know(names: ReadonlyMap<string, readonly string[]>): void;
  close(): Promise<void>;
}

/** Starts one on loopback. @throws Error naming the port that cannot be had */
export async function startDnsResponder(options: DnsResponderOptions = {}): Promise<DnsResponder> {
  const responder = new Responder(options);
  for (let tries = 1; ; tries++) {
    try {
      await responder.listen(options.port ?? 0);
      return responder;
    } catch (error) {
      await responder.close();
      if ((options.port ?? 0) !== 0 || tries === MAX_PORT_TRIES) throw error;
    }
  }
}

class Responder implements DnsResponder {
  readonly counters = { known: 0, forwarded: 0, cached: 0, failed: 0, refused: 0 };
  port = 0;
  ipv6 = false;
  readonly #resolvers: () => readonly string[];
  readonly #resolverPort: number | undefined;
  readonly #sockets: DnsSockets | undefined;
  readonly #cache = new DnsCache();
  #names: ReadonlyMap<string, readonly string[]> | undefined;
  /** Queries that came before the names. */
  readonly #waiting: (() => void)[] = [];
  #pending = 0;
  #udp: DatagramSocket[] = [];
  #tcp: Server[] = [];
  readonly #connections = new Set<Socket>();

  constructor(options: DnsResponderOptions) {
    this.#resolvers = options.resolvers ?? (() => systemResolvers());
    this.#resolverPort = options.resolverPort;
    this.#sockets = options.sockets;
  }

  async listen(port: number): Promise<void> {
    const first = await this.#bindUdp('127.0.0.1', port);
    this.port = first;
    await this.#bindTcp('127.0.0.1', first);
    try {
      await this.#bindUdp('::1', first);
      await this.#bindTcp('::1', first);
      this.ipv6 = true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') throw error;
    }
  }

  async #bindUdp(host: string, port: number): Promise<number> {
    const fd = this.#sockets?.bindUdp(host, port);
    const socket = createSocket(host === '::1' ? 'udp6' : 'udp4');
    this.#udp.push(socket);
    const listening = once(socket, 'listening'); // at once, for a descriptor
    socket.bind(fd === undefined ? { address: host, port, exclusive: true } : { fd });
    await listening;
    socket.on('error', () => {}); // of one answer that could not be sent
    socket.on('message', (query, from) =>
      this.#take(query, 'udp', (answer) => {
        // Who asks from port 0 takes no answer (RFC 768), and no socket sends there.
        if (from.port !== 0 && this.#udp.includes(socket)) socket.send(answer, from.port, from.address);
      }),
    );
    return socket.address().port;
  }

  async #bindTcp(host: string, port: number): Promise<void> {
    const fd = this.#sockets?.listenTcp(host, port);
    const server = createServer((socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
      socket.on('error', () => {});
      socket.setTimeout(CONNECTION_IDLE_MS, () => socket.destroy());
      readFramed(socket, (query) =>
        this.#take(Buffer.from(query), 'tcp', (answer) => {
          if (socket.destroyed) return;
          socket.write(framed(answer));
          if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
        }),
      );
    });
    server.maxConnections = MAX_CONNECTIONS;
    this.#tcp.push(server);
    server.listen(fd === undefined ? { host, port, exclusive: true } : { fd });
    await once(server, 'listening');
  }

  know(names: ReadonlyMap<string, readonly string[]>): void {
    this.#names = names;
    for (const go of this.#waiting.splice(0)) go();
  }

  #take(query: Buffer, transport: DnsTransport, answer: (response: Buffer) => void): void {
    const question = readQuestion(query);
    if (question === undefined) return; // no query: whoever sent it awaits nothing
    const known = this.#names?.get(question.name);
    if (known !== undefined) {
      this.counters.known++;
      return answer(answerTo(query, question, question.type === TYPE_A ? known : [], TTL_SECONDS));
    }
    if (this.#names !== undefined) {
      const cached = this.#cache.find(query, transport);
      if (cached !== undefined) {
        this.counters.cached++;
        return answer(cached);
      }
    }
    if (this.#pending + this.#waiting.length >= MAX_PENDING) {
      this.counters.refused++;
      return answer(refusalOf(query, question, RCODE_REFUSED));
    }
    if (this.#names === undefined) return void this.#waiting.push(() => this.#take(query, transport, answer));
    this.#pending++;
    this.counters.forwarded++;
    const asked = askResolvers(query, transport, this.#resolvers(), this.#resolverPort, this.#sockets);
    void asked.then((response) => {
      this.#pending--;
      if (response === undefined) {
        this.counters.failed++;
        return answer(refusalOf(query, question, RCODE_SERVFAIL));
      }
      this.#cache.keep(query, transport, question, response);
      return answer(response);
    });
  }

  async close(): Promise<void> {
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = [];
    this.#tcp = [];
    for (const connection of this.#connections) connection.destroy();
    const closed = [
      ...udp.map((socket) => (done: () => void) => socket.close(done)),
      ...tcp.map((server) => (done: () => void) => void server.close(() => done())),
    ];
    await Promise.all(
      closed.map(
        async (close) =>
          new Promise<void>((resolve) => {
            try {
              close(resolve);
            } catch {
              resolve(); // it never ran
            }
          }),
      ),
    );
  }
}
