// node src/main.ts --config limits.yaml --memory
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { memoryCounters } from './counters.ts';
import { LimitsFileError, readLimits, type LimitTree } from './limits-file.ts';
import { startRateLimitService } from './rate-limit-service.ts';
import { redisCounters } from './redis-counters.ts';

const HELP = `Counts requests for all proxies: envoy.service.ratelimit.v3.RateLimitService over gRPC.

node src/main.ts --config FILE (--memory | --redis URL) [options]

  -c, --config FILE      limits of a domain; once for each domain
      --memory           count in this process alone
      --redis URL        count in Redis, redis:// or rediss://; default what REDIS_URL says
      --listen HOST:PORT default 127.0.0.1:8081, in plain text
      --on-error WHAT    when Redis is away: allow, deny, or error (default: UNAVAILABLE, and
                         the proxy's failureMode decides)
      --no-headers       do not tell callers x-ratelimit-limit, -remaining and -reset
  -h, --help             this text
`;

/** Of the command line (sysexits.h EX_USAGE), and of a file (EX_DATAERR). */
const [USAGE, DATA] = [64, 65];

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

function readFlags() {
  try {
    return parseArgs({
      allowNegative: true,
      options: {
        config: { type: 'string', short: 'c', multiple: true, default: [] },
        memory: { type: 'boolean', default: false },
        redis: { type: 'string' },
        listen: { type: 'string', default: '127.0.0.1:8081' },
        'on-error': { type: 'string', default: 'error' },
        headers: { type: 'boolean', default: true },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return fail(USAGE, `${(error as Error).message}\n\n${HELP}`);
  }
}

const flags = readFlags();
if (flags.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const url = flags.redis ?? (flags.memory ? undefined : process.env['REDIS_URL']);
const onError = flags['on-error'];
if (flags.config.length === 0) fail(USAGE, '--config: name the file with the limits');
if (flags.memory === (url !== undefined)) fail(USAGE, 'say where to count: --memory, or --redis URL');
if (url !== undefined && !/^rediss?:\/\/[^/]/.test(url))
  fail(USAGE, '--redis: is no redis:// or rediss:// URL, as redis://127.0.0.1:6379');
if (onError !== 'allow' && onError !== 'deny' && onError !== 'error')
  fail(USAGE, `--on-error: ${JSON.stringify(onError)} is none of allow, deny, error`);
if (!/^(\[[^\]]+\]|[^:]+):\d+$/.test(flags.listen))
  fail(USAGE, `--listen: ${JSON.stringify(flags.listen)} is no HOST:PORT, as 127.0.0.1:8081`);

const domains = new Map<string, LimitTree>();
for (const file of flags.config) {
  try {
    const { domain, limits } = readLimits(file, readFileSync(file, 'utf8'));
    if (domains.has(domain))
      fail(DATA, `${file}: domain ${JSON.stringify(domain)} has a file before this one`);
    domains.set(domain, limits);
  } catch (error) {
    if (error instanceof LimitsFileError) fail(DATA, error.message);
    fail(DATA, `${file}: cannot be read: ${(error as Error).message}`);
  }
}

const counters =
  url === undefined ? memoryCounters() : redisCounters({ url, log: (line) => console.error(line) });
const service = await startRateLimitService({
  listen: flags.listen,
  domains,
  counters,
  headers: flags.headers,
  onError: onError === 'error' ? undefined : onError,
}).catch((error: Error) => fail(1, `--listen: ${flags.listen}: ${error.message}`));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void service.close());
console.log(
  `rate limits of ${[...domains.keys()].join(', ')} on ${flags.listen.replace(/:\d+$/, '')}:${service.port}; Ctrl-C stops it`,
);
