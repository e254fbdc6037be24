import type { IdentitySnapshot } from '@tulle/model';
import type { Clock } from '@tulle/time';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { forgeMesh } from '../tests/forge.ts';
import { identityFiles, type IdentityFilesOptions } from './identity-files.ts';

const mesh = await forgeMesh();
const id = 'spiffe://example.org/ns/default/sa/web';
const made: string[] = [];
afterEach(async () => {
  for (const path of made.splice(0)) await rm(path, { recursive: true });
});

async function filesOf(
  who: IdentitySnapshot,
): Promise<IdentityFilesOptions & { write(who: IdentitySnapshot): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'tulle-identity-'));
  made.push(directory);
  const [certificateFile, keyFile, roots] = ['cert.pem', 'key.pem', 'roots.pem'].map((name) =>
    join(directory, name),
  );
  if (certificateFile === undefined || keyFile === undefined || roots === undefined)
    throw new Error('no names');
  const write = async ({ svid, bundles }: IdentitySnapshot): Promise<void> => {
    await writeFile(certificateFile, svid.certificateChainPem);
    await writeFile(keyFile, svid.privateKeyPem);
    await writeFile(roots, bundles.flatMap((bundle) => bundle.rootsPem).join(''));
  };
  await write(who);
  return { certificateFile, keyFile, rootFiles: { 'example.org': roots }, write };
}

/** Fires timers by hand. */
function handClock(): { clock: Clock; fire(): void } {
  let pending: (() => void) | undefined;
  return {
    clock: {
      nowMs: () => 0,
      epochMs: Date.now,
      setTimer(_delayMs, fn) {
        pending = fn;
        return () => (pending = undefined);
      },
    },
    fire() {
      const fn = pending;
      pending = undefined;
      fn?.();
    },
  };
}

describe('identity from files', () => {
  it('is what the files say', async () => {
    const who = await mesh.identity(id);
    const source = await identityFiles({ ...(await filesOf(who)), pollMs: 0 });
    expect(source.current().svid).toEqual({ ...who.svid, certificateChainPem: who.svid.certificateChainPem });
    expect(source.current().bundles).toMatchObject([{ trustDomain: 'example.org', generation: 1 }]);
    source.close();
  });

  it('follows files that change, and keeps the last good ones when they break', async () => {
    const files = await filesOf(await mesh.identity(id));
    const { clock, fire } = handClock();
    const events: (string | Error)[] = [];
    let wake = (): void => undefined;
    const source = await identityFiles({
      ...files,
      clock,
      onBadFiles: (error) => (events.push(error), wake()),
    });
    source.subscribe(({ svid }) => (events.push(svid.serial), wake()));
    const look = async (): Promise<void> => {
      const told = new Promise<void>((resolve) => (wake = resolve));
      fire();
      await told;
      // The next timer is set once the look has ended.
      await new Promise((resolve) => setImmediate(resolve));
    };
    const next = await mesh.identity(id);
    await files.write(next);
    await look();
    expect(events).toEqual([next.svid.serial]);
    const last = await mesh.identity(id);
    await files.write({ ...last, svid: { ...last.svid, privateKeyPem: next.svid.privateKeyPem } });
    await look();
    expect(events[1]).toMatchObject({ message: expect.stringContaining('does not belong to') as string });
    expect(source.current().svid.serial).toBe(next.svid.serial);
    await files.write(last);
    await look();
    expect(source.current().svid.serial).toBe(last.svid.serial);
    source.close();
  });

  it.each([
    ['certificateFile', 'nothing', /has no certificate in PEM/],
    ['keyFile', 'nothing', /./],
  ] as const)('refuses a %s without content', async (file, text, message) => {
    const files = await filesOf(await mesh.identity(id));
    await writeFile(files[file], text);
    await expect(identityFiles({ ...files, pollMs: 0 })).rejects.toThrow(message);
  });

  it('refuses roots of other trust domains only', async () => {
    const files = await filesOf(await mesh.identity(id));
    const rootFiles = { 'other.test': Object.values(files.rootFiles)[0] ?? '' };
    await expect(identityFiles({ ...files, rootFiles, pollMs: 0 })).rejects.toThrow(
      /no roots for example.org/,
    );
  });
});
