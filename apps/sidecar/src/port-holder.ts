import { readdir, readFile, readlink } from 'node:fs/promises';

/** A process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  /** Short name, as `ps -o comm` prints it. */
  readonly command: string;
}

/**
 * Who listens on a TCP port of this machine, at 127.0.0.1 or every address (Linux, proc(5)).
 * @returns undefined where nobody does, the system does not tell, or the process is another user's
 */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  const sockets = new Set((await Promise.all(['tcp', 'tcp6'].map(async (t) => listening(t, port)))).flat());
  if (sockets.size === 0) return undefined;
  for (const pid of await readdir('/proc').catch(() => [] as string[])) {
    if (!/^\d+$/.test(pid)) continue;
    const files = await readdir(`/proc/${pid}/fd`).catch(() => [] as string[]);
    for (const file of files) {
      const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
      if (!sockets.has(target)) continue;
      const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
      return { pid: Number(pid), command: command.trim() };
    }
  }
  return undefined;
}

/** For messages: `process 4711 (node)`, or `another process`. */
export function describeHolder(holder: PortHolder | undefined): string {
  if (holder === undefined) return 'another process';
  return `process ${holder.pid}${holder.command === '' ? '' : ` (${holder.command})`}`;
}

/** TCP_LISTEN of include/net/tcp_states.h. */
const LISTEN = '0A';
/** 0.0.0.0, 127.0.0.1, ::, ::ffff:127.0.0.1, in the byte order of the file. */
const HERE = /^(?:00000000|0100007F|0{32}|0{16}FFFF00000100007F)$/;

/** The sockets as a link of /proc/PID/fd names them. */
async function listening(table: string, port: number): Promise<string[]> {
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address = '', hex = ''] = local.split(':');
    return state === LISTEN && Number.parseInt(hex, 16) === port && HERE.test(address)
      ? [`socket:[${inode}]`]
      : [];
  });
}
