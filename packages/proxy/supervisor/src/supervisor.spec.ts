import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isTulleError } from '@tulle/filter';
import {
  emptyProxyConfig,
  type Address,
  type IdentitySnapshot,
  type ProxyConfig,
  type TcpAddress,
} from '@tulle/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveAdminFront } from './admin-front.ts';
import {
  createSupervisor,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorIdentity,
  type SupervisorOptions,
} from './supervisor.ts';

const MODULE = new URL('../tests/tiny-engine.ts', import.meta.url);
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Answer {
  readonly pid: number;
  readonly slot: number;
  readonly reply: string;
  readonly serial?: string;
  readonly generation?: number;
}

/** One request over a connection of its own. */
async function get(address: Address, path = '/'): Promise<Answer> {
  return JSON.parse(await text(address, path)) as Answer;
}

async function text(address: Address, path: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const where =
      'path' in address ? { socketPath: address.path } : { host: address.host, port: address.port };
    request({ ...where, path, headers, agent: false }, (res) => {
      let body = '';
      res
        .setEncoding('utf8')
        .on('data', (piece: string) => (body += piece))
        .on('end', () => resolve(body))
        .on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}

describe('supervisor', () => {
  let dir = '';
  let supervisor: Supervisor | undefined;
  const events: SupervisorEvent[] = [];
  const wake: (() => void)[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sv-'));
    events.length = 0;
  });
  afterEach(async () => {
    await supervisor?.stop(0);
    supervisor = undefined;
    await rm(dir, { recursive: true });
  });

  const make = (options: Partial<SupervisorOptions> = {}): Supervisor => {
    supervisor = createSupervisor({
      module: MODULE,
      settings: { reply: 'first' },
      runDir: join(dir, 'run'),
      log: quiet,
      stderr: () => {},
      restartBackoff: { baseMs: 5, maxMs: 50 },
      onEvent(event) {
        events.push(event);
        for (const w of wake.splice(0)) w();
      },
      ...options,
    });
    return supervisor;
  };
  const event = async <K extends SupervisorEvent['kind']>(
    kind: K,
    count = 1,
  ): Promise<Extract<SupervisorEvent, { kind: K }>> => {
    for (;;) {
      const found = events.filter((e): e is Extract<SupervisorEvent, { kind: K }> => e.kind === kind)[
        count - 1
      ];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => wake.push(resolve));
    }
  };
  const listening = (version: string, ...addresses: Address[]): ProxyConfig => ({
    ...emptyProxyConfig,
    version,
    listeners: addresses.map((address, i) => ({ name: `l${i}`, address, filterChains: [] })),
  });
  const bound = async (): Promise<TcpAddress> =>
    (await (supervisor as Supervisor).bind({ host: '127.0.0.1', port: 0 })) as TcpAddress;

  it('replaces the process five times under load without failing a new connection', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    let stop = false;
    let served = 0;
    const pids = new Set<number>();
    const client = async (): Promise<void> => {
      while (!stop) {
        pids.add((await get(address)).pid);
        served += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: 6 }, client));
    for (let i = 0; i < 5; i++) {
      await sv.restart();
      await Promise.race([clients, event('ended', i + 1)]);
      const until = served + 400;
      while (served < until) await Promise.race([clients, new Promise((resolve) => setImmediate(resolve))]);
    }
    stop = true;
    await clients; // any refused or reset connection would have rejected
    expect(served).toBeGreaterThanOrEqual(2000);
    expect(pids.size).toBe(6);
    expect(sv.status().processes).toHaveLength(1);
    expect(events.filter((e) => e.kind === 'ended').map((e) => e.cut)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  }, 60_000);

  it('keeps new connections waiting, not refused, from a crash to the successor', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    const { pid } = await get(address);
    await expect(get(address, '/crash')).rejects.toThrow(/socket hang up|ECONNRESET/);
    const answers = await Promise.all(Array.from({ length: 50 }, async () => get(address)));
    expect(answers.every((a) => a.pid !== pid)).toBe(true);
    expect((await event('crashed')).error.message).toMatch(/ended by SIGKILL/);
    expect(sv.status().crashes).toBe(1);
  });

  it('reports the whole error of a crash, and what the engine says when it cannot start', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    await expect(get(address, '/throw')).rejects.toThrow();
    expect((await event('crashed')).error.message).toMatch(/thrown on purpose[^]*tiny-engine\.ts/);
    await event('started', 2);

    const failing = createSupervisor({
      module: MODULE,
      settings: { reply: '', failToStart: true },
      runDir: join(dir, 'r2'),
      log: quiet,
      stderr: () => {},
    });
    const error = await failing.start().catch((e: unknown) => e);
    expect(isTulleError(error) && error.issues).toEqual([{ path: '/failToStart', message: 'is true' }]);
    expect((error as Error).stack).toContain('tiny-engine.ts');
    const missing = createSupervisor({
      module: new URL('../tests/missing.ts', import.meta.url),
      settings: {},
      runDir: join(dir, 'r3'),
      log: quiet,
      stderr: () => {},
    });
    await expect(missing.start()).rejects.toThrow(/Cannot find module[^]*missing\.ts/);
  });

  it.each([
    [undefined, ['info', 'warn']],
    ['warn', ['warn']],
    ['error', []],
  ] as const)('has its processes log from level %s up', async (engineLogLevel, levels) => {
    let written = '';
    const sv = make({
      settings: { reply: '', warn: true },
      stderr: (text) => void (written += text),
      ...(engineLogLevel === undefined ? {} : { engineLogLevel }),
    });
    await sv.start();
    await sv.stop(0); // its output has been read to the end
    expect(
      written
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { readonly level: string }).level),
    ).toEqual(levels);
  });

  it('goes on with the old process when the successor of an upgrade cannot start', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    const { pid } = await get(address);
    await expect(sv.restart({ settings: { reply: '', failToStart: true } })).rejects.toThrow(
      'this engine was told not to start',
    );
    expect(await get(address)).toMatchObject({ pid, reply: 'first' });
    await sv.restart({ settings: { reply: 'second' } });
    expect((await get(address)).reply).toBe('second');
  });

  it('takes a configuration in every process or in none, and tells every issue', async () => {
    const sv = make({ workers: 2 });
    const [one, two] = [await bound(), await bound()];
    await sv.start(listening('1', one));
    const refused = await sv.apply({ ...listening('refuse', one, two) }).catch((e: unknown) => e);
    expect(isTulleError(refused) && [refused.code, refused.issues]).toEqual([
      'TULLE_CONFIG_INVALID',
      [{ path: '/version', message: 'is refuse' }],
    ]);
    await expect(sv.apply({ ...listening('refuse-1', one, two) })).rejects.toThrow('refused in slot 1');
    expect(sv.status().configVersion).toBe('1');
    // Slot 0 had taken it and gave it back: nobody accepts on the second address any more.
    await sv.apply(listening('2', one));
    expect(sv.status().configVersion).toBe('2');
    await sv.apply(listening('3', one, two));
    expect((await get(two)).reply).toBe('first');
    expect((await sv.stats()).map((s) => s['requests']).reduce((a = 0, b = 0) => a + b)).toBe(1);
  });

  it('has nothing to tell of processes that have ended, and waits for none of them', async () => {
    const sv = make();
    await sv.start(listening('1', await bound()));
    await sv.stop(0);
    const asked = sv.stats();
    expect(await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 2_000))])).toEqual([]);
  });

  it('serves on with the last good configuration when a new one kills the engine', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    await expect(sv.apply(listening('die', address))).rejects.toThrow(/ended by SIGKILL/);
    expect((await get(address)).reply).toBe('first');
    expect(sv.status().configVersion).toBe('1');
  });

  it('keeps a configuration that one process takes while another is killed, and starts its successor with it', async () => {
    const sv = make({ workers: 2 });
    const [one, two] = [await bound(), await bound()];
    await sv.start(listening('1', one));
    await sv.apply(listening('die-1', one, two));
    expect(sv.status().configVersion).toBe('die-1');
    await event('started', 3);
    const slots = new Set<number>();
    while (slots.size < 2) slots.add((await get(two)).slot);
    expect(sv.status().crashes).toBe(1);
  });

  describe('few connections that stay', () => {
    /** A connection that stays, and who serves it. */
    const open = async (
      address: TcpAddress,
    ): Promise<{ readonly socket: Socket; slot(): Promise<number> }> => {
      const socket = connect(address.port, address.host);
      sockets.push(socket);
      await once(socket, 'connect');
      return {
        socket,
        async slot() {
          socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
          const [data] = (await once(socket, 'data')) as [Buffer];
          return (JSON.parse(/\{.*\}/.exec(data.toString())?.[0] ?? '') as Answer).slot;
        },
      };
    };
    const sockets: Socket[] = [];
    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.destroy();
    });

    it('are spread evenly over the processes, whichever of them is the quickest to accept', async () => {
      const sv = make({ workers: 3 });
      const address = await bound();
      await sv.start(listening('1', address));
      const count = new Map<number, number>();
      for (let i = 0; i < 9; i++) {
        const slot = await (await open(address)).slot();
        count.set(slot, (count.get(slot) ?? 0) + 1);
      }
      // One more or less is the time that a count needs to be known.
      expect([...count.values()].reduce((sum, n) => sum + n)).toBe(9);
      for (let slot = 0; slot < 3; slot++) expect(count.get(slot)).toBeGreaterThanOrEqual(2);
    });

    it('are served by another when the process that they were given to is killed before it took them', async () => {
      const sv = make({ workers: 2 });
      const address = await bound();
      await sv.start(listening('1', address));
      const frozen = sv.status().processes.find(({ slot }) => slot === 1)?.pid as number;
      process.kill(frozen, 'SIGSTOP');
      const slots = await Promise.all([
        ...Array.from({ length: 6 }, async () => (await open(address)).slot()),
        event('crashed'),
        new Promise((resolve) => setTimeout(resolve, 100)).then(() => process.kill(frozen, 'SIGKILL')),
      ]);
      expect(slots.slice(0, 6).every((slot) => slot === 0 || slot === 1)).toBe(true);
      expect(sv.status().crashes).toBe(1);
    });
  });

  it('lends tokens of one bucket to all its processes, across restarts too', async () => {
    const sv = make({ workers: 2 });
    await sv.start();
    const borrow = async (slot: number): Promise<number> =>
      (JSON.parse(await text(sv.adminAddress(slot) as Address, '/borrow')) as { granted: number }).granted;
    expect([await borrow(0), await borrow(1)]).toEqual([2, 2]);
    await sv.restart();
    expect([await borrow(1), await borrow(0)]).toEqual([1, 0]);
  });

  it('closes a socket once the configuration drops it, and gives port 0 one socket for all workers', async () => {
    const sv = make({ workers: 2 });
    await sv.start(listening('1', { host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 0 }));
    const addresses = sv.status().listeners as TcpAddress[];
    expect(addresses).toHaveLength(2);
    await Promise.all(addresses.map(async (a) => get(a)));
    await sv.apply(listening('2'));
    expect(sv.status().listeners).toEqual([]);
    await expect(get(addresses[0] as Address)).rejects.toThrow('ECONNREFUSED');
  });

  it('names the address and the reason when a port is taken', async () => {
    const sv = make();
    const { port } = await bound();
    const other = createSupervisor({
      module: MODULE,
      settings: { reply: '' },
      runDir: join(dir, 'r2'),
      log: quiet,
      stderr: () => {},
    });
    await sv.start(listening('1', { host: '127.0.0.1', port }));
    await expect(other.bind({ host: '127.0.0.1', port })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: EADDRINUSE, another process listens there`,
    );
    await expect(
      sv.apply(listening('2', { host: '127.0.0.1', port }, { host: 'localhost', port: 0 })),
    ).rejects.toThrow(/"localhost" is no IP address/);
    expect((await get({ host: '127.0.0.1', port })).reply).toBe('first');
  });

  it('listens on Unix sockets likewise and removes them in the end', async () => {
    const sv = make();
    const path = join(dir, 'app.sock');
    await sv.start(listening('1', { path }));
    const { pid } = await get({ path });
    await sv.restart();
    expect((await get({ path })).pid).not.toBe(pid);
    await sv.stop(1000);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('lets a running request end in the old process, and cuts it when the drain time is over', async () => {
    const sv = make({ drainTimeoutMs: 100 });
    const address = await bound();
    await sv.start(listening('1', address));
    const hold = async (): Promise<{ end(): void; done: Promise<string> }> => {
      const socket = connect(address.port, address.host);
      const done = new Promise<string>((resolve) => {
        let text = '';
        socket
          .setEncoding('utf8')
          .on('data', (piece: string) => (text += piece))
          .on('close', () => resolve(text))
          .on('error', () => {});
      });
      socket.write('POST /hold HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n');
      await new Promise((resolve) => socket.once('data', resolve)); // 100 Continue: the process has it
      return { end: () => void socket.write('x'), done };
    };
    const first = await hold();
    await sv.restart();
    first.end();
    expect(await first.done).toMatch(/100 Continue[^]*200 OK[^]*"pid"/);
    const second = await hold();
    await sv.restart();
    expect(await second.done).not.toContain('200 OK');
    expect((await event('ended', 2)).cut).toBe(true);
  });

  it('replaces a process that was asked to end by a signal', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    const { pid } = await get(address);
    process.kill(pid, 'SIGTERM');
    await event('started', 2);
    expect((await get(address)).pid).not.toBe(pid);
    expect(sv.status().crashes).toBe(0);
  });

  it('leaves what a terminal sends to everybody to the supervisor', async () => {
    const sv = make();
    const address = await bound();
    await sv.start(listening('1', address));
    const { pid } = await get(address);
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.kill(pid, signal);
    expect((await get(address)).pid).toBe(pid);
    if (process.platform === 'linux') {
      const [, , group] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ', 2)[1]?.split(' ') ?? [];
      expect(Number(group)).toBe(pid);
    }
    expect(sv.status().crashes).toBe(0);
  });

  it('has each process make a key of its own, renews with the supervisor, and starts from the saved key without the CA', async () => {
    const { identity, csrs, renew, breakCa } = fakeIdentity();
    const sv = make({ workers: 2, identity, stateDir: join(dir, 'state') });
    await sv.start();
    expect(csrs).toHaveLength(2);
    expect(new Set(csrs).size).toBe(2);
    const admin = (slot: number): Address => sv.adminAddress(slot) as Address;
    expect((await get(admin(0))).serial).toMatch(/^s[12]$/);
    const saved = join(dir, 'state', 'engine-0', 'identity.json');
    expect((await stat(saved)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(saved, 'utf8'))).toMatchObject({
      svid: { privateKeyPem: expect.stringContaining('PRIVATE KEY') as string },
    });

    const renewed = renew();
    await renewed;
    for (const slot of [0, 1]) for (;;) if (/^s[34]$/.test((await get(admin(slot))).serial ?? '')) break;

    breakCa();
    await sv.restart();
    expect((await get(admin(0))).serial).toMatch(/^s[34]$/);
  });

  it('says when every process believes the newest roots, one that was frozen meanwhile too', async () => {
    const { identity, believe } = fakeIdentity();
    const sv = make({ workers: 2, identity, stateDir: join(dir, 'state') });
    await sv.start();
    const { pid } = sv.status().processes[1] as { pid: number };
    process.kill(pid, 'SIGSTOP');
    let told = false;
    try {
      believe(2);
      const inUse = sv.identityInUse().then(() => (told = true));
      await expect.poll(async () => (await get(sv.adminAddress(0) as Address)).generation).toBe(2);
      expect(told).toBe(false);
      process.kill(pid, 'SIGCONT');
      await inUse;
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect((await get(sv.adminAddress(1) as Address)).generation).toBe(2);
    believe(3);
    await sv.restart();
    await sv.identityInUse();
    for (const slot of [0, 1]) expect((await get(sv.adminAddress(slot) as Address)).generation).toBe(3);
  });

  it('serves the metrics of all processes as one page, whose sums no restart lowers', async () => {
    const sv = make({ workers: 2 });
    const address = await bound();
    await sv.start(listening('1', address));
    const front = await serveAdminFront({ supervisor: sv, address: { path: join(dir, 'admin.sock') } });
    try {
      const page = async (path = '/metrics'): Promise<string> => text(front.address, path);
      const slots = new Set<number>();
      let sent = 0;
      for (; slots.size < 2; sent++) slots.add((await get(address)).slot);
      expect(await page()).toBe(
        `# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total ${sent}\n# HELP slot Slot.\n# TYPE slot gauge\nslot 1\n`,
      );
      expect(await page('/metrics?worker=each')).toContain('\nslot{worker="0"} 0\nslot{worker="1"} 1\n');
      expect(await page('/metrics?worker=1')).toContain('\nslot 1\n');
      // Every process is asked for the form that the scraper prefers, and forms are not mixed up.
      expect(await text(front.address, '/metrics', { accept: 'application/openmetrics-text' })).toBe(
        `# HELP requests Requests.\n# TYPE requests counter\nrequests_total ${sent}\n# HELP slot Slot.\n# TYPE slot gauge\nslot 1\n# EOF\n`,
      );
      await sv.restart();
      await event('ended', 2);
      await get(address);
      expect(await page()).toContain(`\nrequests_total ${sent + 1}\n`);
      const app = await serveAdminFront({
        supervisor: sv,
        address: { path: join(dir, 'app.sock') },
        metrics: (format) => `own_format{format="${format}"} 1\n`,
      });
      try {
        const [whole, one] = [
          await text(app.address, '/metrics'),
          await text(app.address, '/metrics?worker=1'),
        ];
        expect(whole).toMatch(/^# HELP requests_total[^]*\nown_format\{format="prometheus"\} 1\n$/);
        expect(one).not.toContain('own_format');
      } finally {
        await app.close();
      }
    } finally {
      await front.close();
    }
  });

  it('serves one admin address whichever process is behind it, and restarts by POST only', async () => {
    const sv = make();
    await sv.start();
    const front = await serveAdminFront({
      supervisor: sv,
      address: { path: join(dir, 'admin.sock') },
      pages: { '/hello': () => ({ pid: 0, slot: 0, reply: 'page' }) },
    });
    try {
      const { pid } = await get(front.address);
      await expect(get(front.address, '/supervisor/restart')).resolves.toEqual({ error: 'POST only' });
      await sv.restart();
      expect((await get(front.address)).pid).not.toBe(pid);
      expect((await get(front.address, '/hello')).reply).toBe('page');
      expect(await get(front.address, '/supervisor')).toMatchObject({
        processes: expect.any(Array) as unknown[],
        crashes: 0,
      });
      await expect(serveAdminFront({ supervisor: sv, address: front.address })).rejects.toThrow(
        'another process listens on',
      );
      await expect(
        serveAdminFront({ supervisor: sv, address: { host: '0.0.0.0', port: 0 } }),
      ).rejects.toThrow('is no loopback address');
    } finally {
      await front.close();
    }
  });
});

function fakeIdentity(): {
  identity: SupervisorIdentity;
  csrs: string[];
  renew(): Promise<void>;
  /** Other roots, for the same certificate. */
  believe(generation: number): void;
  breakCa(): void;
} {
  const spiffeId = 'spiffe://mesh.local/ns/default/sa/web';
  const csrs: string[] = [];
  let broken = false;
  const waiting: (() => void)[] = [];
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const snapshot = (serial: string): IdentitySnapshot => ({
    svid: {
      spiffeId,
      certificateChainPem: '',
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      notBeforeMs: 0,
      notAfterMs: Date.now() + 3_600_000,
      serial,
    },
    bundles: [{ trustDomain: 'mesh.local', rootsPem: [], generation: 1 }],
  });
  let current = snapshot('own-1');
  const listeners = new Set<(s: IdentitySnapshot) => void>();
  return {
    csrs,
    identity: {
      spiffeId,
      current: () => current,
      subscribe(fn) {
        listeners.add(fn);
        return () => void listeners.delete(fn);
      },
      async signCsr(csrPem) {
        if (broken) throw new Error('the CA is gone');
        csrs.push(csrPem);
        for (const w of waiting.splice(0)) w();
        return {
          spiffeId,
          certificateChainPem: 'chain',
          serial: `s${csrs.length}`,
          notBeforeMs: 0,
          notAfterMs: Date.now() + 3_600_000,
          bundles: current.bundles,
        };
      },
    },
    async renew() {
      current = snapshot('own-2');
      for (const fn of listeners) fn(current);
      while (csrs.length < 4) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    believe(generation) {
      current = { ...current, bundles: [{ trustDomain: 'mesh.local', rootsPem: [], generation }] };
      for (const fn of listeners) fn(current);
    },
    breakCa: () => void (broken = true),
  };
}
