import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '@tulle/filter';
import type { IdentitySnapshot, IdentitySource, TrustBundle } from '@tulle/model';
import { createKeyAndCsr, identityHolder } from '@tulle/spiffe';
import { createBackoff } from '@tulle/time';
import type { IdentityWelcome, SignedIdentity } from './protocol.ts';

/** The identity of one engine process: its key is made here and never leaves; only the CSR travels. */
export interface ProcessIdentity extends IdentitySource {
  /** Another key and certificate; tried again until it works. */
  renew(): void;
  /** Other roots for the same certificate. */
  adoptBundles(bundles: readonly TrustBundle[]): void;
  /** Resolves when no renewal is under way, or waits to be tried again. */
  settled(): Promise<void>;
  close(): void;
}

/** While the CA is away it tries every few seconds; the log is told less often. */
const TELL_AGAIN_MS = 60_000;

/**
 * Opens a process's identity. With a saved one that is still valid the process starts at once, also without the CA, and
 * a key of its own follows; without one it waits for the first signature.
 * @param sign has the CA sign a CSR, by way of the supervisor
 */
export async function openProcessIdentity(
  welcome: IdentityWelcome,
  sign: (csrPem: string) => Promise<SignedIdentity>,
  log: Log,
  nowMs: () => number = Date.now,
  random: () => number = Math.random,
): Promise<ProcessIdentity> {
  const saved =
    welcome.file === undefined ? undefined : await load(welcome.file, welcome.spiffeId, nowMs(), log);
  const holder = identityHolder(
    saved === undefined ? undefined : { svid: saved.svid, bundles: newest(saved.bundles, welcome.bundles) },
  );
  let bundles = welcome.bundles;
  const backoff = createBackoff({ baseMs: 250, maxMs: 10_000 }, random);
  let toldMs = -Infinity;
  let running = false;
  let again = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  /** Whether a renewal is under way or waits to be tried again, and who waits for its success. */
  let busy = false;
  const waiting: (() => void)[] = [];

  const obtain = async (): Promise<void> => {
    const { privateKeyPem, csrPem } = await createKeyAndCsr(welcome.spiffeId);
    const {
      spiffeId,
      certificateChainPem,
      serial,
      notBeforeMs,
      notAfterMs,
      bundles: signedBundles,
    } = await sign(csrPem);
    if (spiffeId !== welcome.spiffeId)
      throw new Error(`the certificate is for ${spiffeId}, not for ${welcome.spiffeId}`);
    bundles = newest(bundles, signedBundles);
    const snapshot: IdentitySnapshot = {
      svid: { spiffeId, certificateChainPem, privateKeyPem, serial, notBeforeMs, notAfterMs },
      bundles,
    };
    holder.set(snapshot);
    if (welcome.file !== undefined)
      await save(welcome.file, snapshot).catch((error: unknown) =>
        log.warn('the identity could not be saved; a restart will need the CA', { error: String(error) }),
      );
  };

  const renew = async (): Promise<void> => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    busy = true;
    try {
      await obtain();
      backoff.reset();
      busy = again;
      toldMs = -Infinity;
    } catch (error) {
      if (closed) return;
      const retryInMs = backoff.next();
      if (nowMs() - toldMs >= TELL_AGAIN_MS) {
        toldMs = nowMs();
        log.warn('no new certificate for this process yet; the current one serves on, and it tries again', {
          error: error instanceof Error ? error.message : String(error),
        });
      }
      clearTimeout(timer);
      timer = setTimeout(() => void renew(), retryInMs);
    } finally {
      running = false;
    }
    if (again && !closed) {
      again = false;
      await renew();
      return;
    }
    if (!busy) for (const tell of waiting.splice(0)) tell();
  };

  if (saved === undefined) await obtain();
  else void renew();
  return {
    current: holder.current,
    subscribe: holder.subscribe,
    renew: () => void renew(),
    adoptBundles(next) {
      bundles = next;
      const current = holder.current();
      if (current !== undefined) holder.set({ svid: current.svid, bundles });
    },
    settled: async () => (busy ? new Promise((resolve) => waiting.push(resolve)) : undefined),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Of each trust domain the bundle of the highest generation. */
function newest(a: readonly TrustBundle[], b: readonly TrustBundle[]): readonly TrustBundle[] {
  const byDomain = new Map<string, TrustBundle>();
  for (const bundle of [...a, ...b]) {
    const known = byDomain.get(bundle.trustDomain);
    if (known === undefined || bundle.generation >= known.generation)
      byDomain.set(bundle.trustDomain, bundle);
  }
  return [...byDomain.values()];
}

async function load(
  file: string,
  spiffeId: string,
  nowMs: number,
  log: Log,
): Promise<IdentitySnapshot | undefined> {
  let handle;
  try {
    handle = await open(file, 'r');
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0)
      throw new Error(
        `${file} may be read by others (mode ${(mode & 0o777).toString(8)}); chmod 600 it, or remove it`,
      );
    const saved = JSON.parse(await handle.readFile('utf8')) as {
      readonly version: number;
    } & IdentitySnapshot;
    if (saved.version !== 1 || saved.svid.spiffeId !== spiffeId || saved.svid.notAfterMs <= nowMs)
      return undefined;
    return { svid: saved.svid, bundles: saved.bundles };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn('the saved identity cannot be used; a new one is made', {
        error: error instanceof Error ? error.message : String(error),
      });
    return undefined;
  } finally {
    await handle?.close();
  }
}

async function save(file: string, snapshot: IdentitySnapshot): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  const handle = await open(draft, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ version: 1, ...snapshot }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}
