import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCa, directoryStore } from '@tulle/ca';
import { createKeyAndCsr, identityFiles, type IdentityFiles } from '@tulle/spiffe';
import { idOf, trustDomain } from './names.ts';

/** The files of one workload, below its directory. */
const FILES = { certificate: 'svid.pem', key: 'svid_key.pem', roots: 'bundle.pem' };

/**
 * Gives each workload a fresh key, an SVID of 24 hours and the roots, in `<directory>/<workload>`. The CA, made the first
 * time, is `<directory>/ca`: it belongs on one machine only, the files of a workload on the workload's. Running this again,
 * from a timer say, renews them in place.
 */
export async function issueCertificates(directory: string, workloads: readonly string[]): Promise<void> {
  const ca = await createCa({ trustDomain, store: directoryStore(join(directory, 'ca')) });
  try {
    for (const workload of workloads) {
      const home = join(directory, workload);
      await mkdir(home, { recursive: true, mode: 0o700 });
      const { csrDer, privateKeyPem } = await createKeyAndCsr(idOf(workload));
      const { certificateChainPem, bundles } = await ca.issueLocal(idOf(workload), csrDer);
      await replace(join(home, FILES.roots), bundles.flatMap(({ rootsPem }) => rootsPem).join(''));
      await replace(join(home, FILES.key), privateKeyPem);
      await replace(join(home, FILES.certificate), certificateChainPem);
    }
  } finally {
    await ca.close();
  }
}

/** Whole or not at all: a reader never sees half a file. A key beside the old certificate is noticed and read again. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** The identity in a directory that {@link issueCertificates} filled, followed as its files change. */
export function identityOf(directory: string, pollMs = 10_000): Promise<IdentityFiles> {
  return identityFiles({
    certificateFile: join(directory, FILES.certificate),
    keyFile: join(directory, FILES.key),
    rootFiles: { [trustDomain]: join(directory, FILES.roots) },
    pollMs,
    onBadFiles: (error) =>
      console.error(`the certificate files are not usable, those before stay: ${error.message}`),
  });
}
