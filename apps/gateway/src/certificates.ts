import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';

/** Certificates that are looked at; what is beyond is not named, and said. */
export const MAX_CERTIFICATES = 10_000;

/** How a {@link CertificateDirectory} works. */
export interface CertificateDirectoryOptions {
  /** A certificate is `<directory>/<namespace>/<name>/tls.crt`, its key `tls.key`, as Kubernetes mounts a Secret. */
  readonly directory: string;
  /** How often it is looked at. Default 2,000: certificates come days before they are needed, people wait. */
  readonly scanMs?: number;
  /** Told once for each new fault. */
  readonly onFault: (message: string) => void;
}

interface Seen {
  /** Times and sizes of the files when they were read. */
  readonly stamp: string;
  readonly fault: string | undefined;
}

/**
 * The certificates that a gateway has, by `namespace/name`: those whose chain and key can be read and belong together.
 * What was usable once stays named while the gateway runs: a file that breaks must not close a listener whose certificate
 * is in memory (the engine keeps the last good one).
 */
export class CertificateDirectory {
  readonly #options: CertificateDirectoryOptions;
  readonly #names = new Set<string>();
  readonly #seen = new Map<string, Seen>();
  #told = '';

  constructor(options: CertificateDirectoryOptions) {
    this.#options = options;
  }

  /** Sorted. */
  get names(): readonly string[] {
    return [...this.#names].sort();
  }

  /** Looks once. @returns whether there are more names than before */
  async scan(): Promise<boolean> {
    const before = this.#names.size;
    const found = await this.#list();
    for (const name of found.slice(0, MAX_CERTIFICATES)) await this.#look(name);
    for (const name of this.#seen.keys()) if (!found.includes(name)) this.#seen.delete(name);
    if (found.length > MAX_CERTIFICATES)
      this.#tell(
        `${this.#options.directory} holds more than ${MAX_CERTIFICATES} certificates; the rest is not used`,
      );
    return this.#names.size > before;
  }

  /** Looks again and again. @returns a function that ends it */
  follow(changed: () => void): () => void {
    const over = new AbortController();
    void this.#follow(changed, over.signal);
    return () => over.abort();
  }

  async #follow(changed: () => void, signal: AbortSignal): Promise<void> {
    const everyMs = this.#options.scanMs ?? 2_000;
    while (!signal.aborted) {
      await setTimeout(everyMs, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted && (await this.scan()) && !signal.aborted) changed();
    }
  }

  async #list(): Promise<string[]> {
    const { directory } = this.#options;
    const names: string[] = [];
    for (const namespace of await this.#children(directory))
      for (const name of await this.#children(join(directory, namespace))) names.push(`${namespace}/${name}`);
    return names.sort();
  }

  /** Directories in a directory, links to some too; `..data` of mounted Secrets and other hidden ones are no names. */
  async #children(path: string): Promise<string[]> {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      return entries
        .filter((e) => !e.name.startsWith('.') && (e.isDirectory() || e.isSymbolicLink()))
        .map((e) => e.name);
    } catch (error) {
      // Not there yet: a gateway without HTTPS needs none, and one that is made later is found.
      if (
        (error as NodeJS.ErrnoException).code !== 'ENOENT' &&
        (error as NodeJS.ErrnoException).code !== 'ENOTDIR'
      )
        this.#tell(`cannot look into ${path}: ${reasonOf(error)}`);
      return [];
    }
  }

  async #look(name: string): Promise<void> {
    const directory = join(this.#options.directory, name);
    const stamp = await stampOf(directory);
    if (stamp === undefined) return; // files are missing: not a certificate (yet)
    const before = this.#seen.get(name);
    if (before?.stamp === stamp) return;
    const fault = await faultOf(directory);
    this.#seen.set(name, { stamp, fault });
    if (fault === undefined) this.#names.add(name);
    else if (fault !== before?.fault)
      this.#options.onFault(
        `the certificate ${name} cannot be used${this.#names.has(name) ? ', the one before stays' : ''}: ${fault}`,
      );
  }

  #tell(message: string): void {
    if (this.#told === message) return;
    this.#told = message;
    this.#options.onFault(message);
  }
}

async function stampOf(directory: string): Promise<string | undefined> {
  try {
    const [crt, key] = await Promise.all([
      stat(join(directory, 'tls.crt')),
      stat(join(directory, 'tls.key')),
    ]);
    return [crt.ino, crt.mtimeMs, crt.size, key.ino, key.mtimeMs, key.size].join(' ');
  } catch {
    return undefined;
  }
}

/** Why the pair cannot be shown to callers. */
async function faultOf(directory: string): Promise<string | undefined> {
  const [crt, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
  let certPem: string;
  let keyPem: string;
  try {
    [certPem, keyPem] = await Promise.all([readFile(crt, 'utf8'), readFile(key, 'utf8')]);
  } catch (error) {
    return reasonOf(error);
  }
  try {
    const leaf = new X509Certificate(certPem);
    if (!leaf.checkPrivateKey(createPrivateKey(keyPem)))
      return `the key in ${key} does not belong to the first certificate of ${crt}`;
    if (Date.parse(leaf.validTo) <= Date.now()) return `${crt} was valid until ${leaf.validTo}`;
    createSecureContext({ cert: certPem, key: keyPem });
    return undefined;
  } catch (error) {
    return `${crt} and ${key}: ${reasonOf(error)}`;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
