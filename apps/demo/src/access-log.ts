import { readFile } from 'node:fs/promises';

/** A line of a sidecar's access log, as far as it is read here. */
export interface LogLine {
  readonly direction: 'inbound' | 'outbound';
  readonly path: string;
  readonly response_code: number;
  readonly trace_id: string | null;
}

/** Reads the JSON lines that are whole; the last one may be under way. */
export async function readAccessLog(file: string): Promise<LogLine[]> {
  const text = await readFile(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine);
}
