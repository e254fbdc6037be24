/** Where a command reads and writes; tests bring their own. */
export interface Io {
  /** Data. */
  out(text: string): void;
  /** Progress, warnings, errors. */
  err(text: string): void;
  readStdin(): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person looks at `out`, and at `err`. */
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly cwd: string;
  /** Width of the terminal, or undefined. */
  readonly columns: number | undefined;
}

/** The process's own. */
export function processIo(): Io {
  // Somebody closed the pipe (`tulle analyze | head`): that is no error, and the code says what it would have said.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    async readStdin() {
      let text = '';
      for await (const piece of process.stdin.setEncoding('utf8')) text += String(piece);
      return text;
    },
    env: process.env,
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    cwd: process.cwd(),
    columns: process.stdout.columns,
  };
}

/** Colours, where a person looks and did not ask for none (https://no-color.org). */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** @param stream which of the two the text goes to */
export function paint(io: Io, stream: 'out' | 'err'): Paint {
  const terminal = stream === 'out' ? io.outIsTerminal : io.errIsTerminal;
  const { NO_COLOR: noColor, CI: ci, TERM: term } = io.env;
  const on =
    terminal &&
    (noColor === undefined || noColor === '') &&
    (ci === undefined || ci === '') &&
    term !== 'dumb';
  const style =
    (open: number, close: number) =>
    (text: string): string =>
      on ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
  };
}
