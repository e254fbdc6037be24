// An engine process for tests: an HTTP server on each listener of the configuration, nothing else.
import { createServer, type Server } from 'node:http';
import { TulleError } from '@tulle/filter';
import { formatAddress, isInternalAddress, isUnixAddress, type ProxyConfig } from '@tulle/model';
import { runEngineProcess, type AcquiredListener } from '../src/index.ts';

interface Settings {
  readonly reply: string;
  readonly failToStart?: boolean;
  readonly warn?: boolean;
}

await runEngineProcess<Settings>({
  async createEngine({
    settings,
    listeners,
    identity,
    adminAddress,
    slot,
    generation,
    tokens,
    discover,
    log,
  }) {
    log.info('an engine starts');
    if (settings.warn === true) log.warn('an engine warns');
    if (settings.failToStart === true)
      throw new TulleError('TULLE_CONFIG_INVALID', 'this engine was told not to start', {
        issues: [{ path: '/failToStart', message: 'is true' }],
      });
    const open = new Map<string, { server: Server; listener: AcquiredListener }>();
    let draining = false;
    let requests = 0;
    const serve = (): Server =>
      createServer((req, res) => {
        if (req.url?.startsWith('/metrics') === true) {
          const openMetrics = req.headers.accept?.includes('openmetrics') === true;
          const family = openMetrics ? 'requests' : 'requests_total';
          return void res
            .setHeader(
              'content-type',
              openMetrics
                ? 'application/openmetrics-text; version=1.0.0; charset=utf-8'
                : 'text/plain; version=0.0.4; charset=utf-8',
            )
            .end(
              `# HELP ${family} Requests.\n# TYPE ${family} counter\nrequests_total ${requests}\n# HELP slot Slot.\n# TYPE slot gauge\nslot ${slot}\n${openMetrics ? '# EOF\n' : ''}`,
            );
        }
        requests += 1;
        if (req.url === '/crash') process.kill(process.pid, 'SIGKILL');
        if (req.url === '/throw') throw new Error('thrown on purpose');
        if (draining) res.setHeader('connection', 'close');
        const send = (): void =>
          void res.end(
            JSON.stringify({
              pid: process.pid,
              slot,
              reply: settings.reply,
              serial: identity?.current()?.svid.serial,
              generation: identity?.current()?.bundles[0]?.generation,
            }),
          );
        if (req.url === '/borrow') {
          const limit = { id: 'limit', capacity: 5, refillPerSecond: 0.001, maxKeys: 10 };
          void tokens?.borrow(limit, 'key', 2).then(
            ({ granted }) => res.end(JSON.stringify({ slot, granted })),
            (error: unknown) => res.end(JSON.stringify({ slot, error: String(error) })),
          );
          return undefined;
        }
        if (req.url === '/discover') {
          const demand = { kind: 'cluster', name: `c${slot}`, source: 'ads', timeoutMs: 5 } as const;
          void (discover === undefined ? Promise.resolve('nobody') : discover(demand)).then((nobody) =>
            res.end(JSON.stringify({ slot, reply: nobody ?? 'done' })),
          );
          return undefined;
        }
        if (req.url === '/hold') req.on('end', send).resume(); // answers when the caller ends its request
        else send();
        return undefined;
      });
    const admin = serve();
    await new Promise<void>((resolve) =>
      admin.listen(isUnixAddress(adminAddress) ? { path: adminAddress.path } : adminAddress, resolve),
    );
    const shut = async (name: string): Promise<void> => {
      const { server, listener } = open.get(name) as { server: Server; listener: AcquiredListener };
      open.delete(name);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      listener.release();
      await closed;
    };
    return {
      async apply(config: ProxyConfig) {
        if (config.version === 'refuse')
          throw new TulleError('TULLE_CONFIG_INVALID', 'refused on purpose', {
            issues: [{ path: '/version', message: 'is refuse' }],
          });
        if (config.version === `refuse-${slot}`)
          throw new TulleError('TULLE_CONFIG_INVALID', `refused in slot ${slot}`);
        if (config.version === 'die' || (config.version === `die-${slot}` && generation <= 2))
          process.kill(process.pid, 'SIGKILL');
        const wanted = new Map(config.listeners.map((l) => [`${l.name} ${formatAddress(l.address)}`, l]));
        for (const [name, { address }] of wanted) {
          if (open.has(name) || isInternalAddress(address)) continue;
          const listener = await listeners.acquire(address);
          const server = serve();
          await new Promise<void>((resolve, reject) =>
            server.once('error', reject).listen(listener.handle, 1024, resolve),
          );
          open.set(name, { server, listener });
        }
        await Promise.all([...open.keys()].filter((name) => !wanted.has(name)).map(shut));
      },
      async drain() {
        draining = true;
        await Promise.all([...open.keys()].map(shut));
      },
      async close() {
        admin.close();
        for (const { server } of open.values()) server.closeAllConnections();
      },
      stats: () => ({ requests }),
    };
  },
});
