import type { Io } from '../src/cli/io.ts';

/** An {@link Io} that remembers, for tests. */
export interface TestIo extends Io {
  readonly written: { out: string; err: string };
}

/** @param stdin what `-f -` reads */
export function testIo(cwd = '/', stdin = '', env: Readonly<Record<string, string>> = {}): TestIo {
  const written = { out: '', err: '' };
  return {
    written,
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    readStdin: async () => stdin,
    env,
    outIsTerminal: false,
    errIsTerminal: false,
    cwd,
    columns: undefined,
  };
}
