import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../until.ts';

/** Files that the configuration `access-log-operators` has its logs in. */
const [OPERATORS, METADATA] = ['operators.log', 'metadata.log'] as const;
/** And that of `listener-logs`. */
const CONNECTIONS = 'listener.log';
/** And that of `internal-listeners`. */
const INTERNAL = 'internal.log';
/** And that of `tunnel-answers`. */
const ANSWERS = 'answers.log';

/** Lines of both logs, ports as the configuration names them. */
export interface Logs {
  /** Values by operator. */
  readonly operators: readonly Readonly<Record<string, unknown>>[];
  readonly metadata: readonly string[];
}

/** Nothing of an earlier run is left. */
export function forgetLogs(directory: string): void {
  for (const file of [OPERATORS, METADATA, CONNECTIONS, INTERNAL, ANSWERS])
    rmSync(join(directory, file), { force: true });
}

/** Lines of a log, ports as the configuration names them. */
function linesOf(file: string, ports: ReadonlyMap<number, number>): string[] {
  let text = readFileSync(file, 'utf8');
  for (const [named, real] of ports) text = text.replaceAll(String(real), String(named));
  return text.split('\n').filter((line) => line !== '');
}

/** Waits for the lines. @param lines how many of the requests are logged @param others how many in the other file */
export async function readLogs(
  directory: string,
  ports: ReadonlyMap<number, number>,
  lines: number,
  others: number,
): Promise<Logs> {
  return until('all requests are in the log', async () => {
    const operators = linesOf(join(directory, OPERATORS), ports);
    const metadata = linesOf(join(directory, METADATA), ports);
    if (operators.length < lines || metadata.length < others)
      throw new Error(`there are ${operators.length} lines of ${lines}, and ${metadata.length} of ${others}`);
    return {
      operators: operators.map((line) => JSON.parse(line) as Record<string, unknown>),
      metadata,
    };
  });
}

/** Likewise of the connections of listeners, in an order of their own: each is logged when it is over. */
export async function readConnections(
  directory: string,
  ports: ReadonlyMap<number, number>,
  lines: number,
): Promise<Logs> {
  return until('all connections are in the log', async () => {
    const operators = linesOf(join(directory, CONNECTIONS), ports)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .toSorted((a, b) =>
        JSON.stringify(a['FILTER_CHAIN_NAME']) < JSON.stringify(b['FILTER_CHAIN_NAME']) ? -1 : 1,
      );
    if (operators.length < lines) throw new Error(`there are ${operators.length} lines of ${lines}`);
    return { operators, metadata: [] };
  });
}

/** Likewise of requests that go through listeners of the process, in an order of their own: two lines each, but of one. */
export async function readInternal(
  directory: string,
  ports: ReadonlyMap<number, number>,
  requests: number,
): Promise<Logs> {
  return until('all requests are in the log', async () => {
    const lines = linesOf(join(directory, INTERNAL), ports);
    const wanted = 2 * requests - 1;
    if (lines.length < wanted) throw new Error(`there are ${lines.length} lines of ${wanted}`);
    const operators = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    return { operators, metadata: [] };
  });
}

/** A connection, the one that it goes through, and one that gets no tunnel, which its listener logs too. */
const ANSWERED = 4;

/** Likewise of connections that ask for tunnels, in an order of their own; of what was answered only what the configuration says. */
export async function readAnswers(directory: string, ports: ReadonlyMap<number, number>): Promise<Logs> {
  return until('all connections are in the log', async () => {
    const lines = linesOf(join(directory, ANSWERS), ports);
    if (lines.length < ANSWERED) throw new Error(`there are ${lines.length} lines of ${ANSWERED}`);
    const operators = lines
      .map(
        (line) =>
          JSON.parse(line, (name, value: unknown) =>
            name === 'headers' ? (value as { key: string }[]).filter(({ key }) => SAID.test(key)) : value,
          ) as Record<string, unknown>,
      )
      .toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
    return { operators, metadata: [] };
  });
}

/** Operators by which the lines differ. */
const WHICH = ['UPSTREAM_CLUSTER', 'RESPONSE_FLAGS', 'ACCESS_LOG_TYPE'] as const;
const sortKey = (line: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(WHICH.map((operator) => line[operator]));
/** Of a head, what is no proxy's own. */
const SAID = /^(?::status|x-(?!envoy-).*)$/;

/** By what the requests differ in. */
const keyOf = (line: Readonly<Record<string, unknown>>): string =>
  JSON.stringify([line['WHO'], line['REQ(:PATH)'], line['REQ(X-TENANT)'], line['REQ(X-FROM)']]);

const WHOLE = /^\d+$/;
/** Operators whose values are never the same twice: what both must look like. */
const LOOKS: Readonly<Record<string, RegExp>> = {
  UNIQUE_ID: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  STREAM_ID: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  CONNECTION_ID: /^[1-9]\d*$/,
  // The two add fields of their own to answers.
  CONNECTION_BYTES_SENT: WHOLE,
  UPSTREAM_CONNECTION_ID: WHOLE,
  UPSTREAM_LOCAL_ADDRESS: /^127\.0\.0\.1:\d+$/,
  UPSTREAM_LOCAL_PORT: /^[1-9]\d*$/,
  START_TIME: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  'START_TIME(%E3S)': /^\d\d\.\d{3}$/,
  START_TIME_LOCAL: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$/,
  'EMIT_TIME_LOCAL(%s)': /^\d{10}$/,
  // What the two tell endpoints and callers beside what came, each in its own words.
  REQUEST_HEADERS_BYTES: /^[1-9]\d*$/,
  RESPONSE_HEADERS_BYTES: /^[1-9]\d*$/,
};
const looksOf = (operator: string): RegExp | undefined =>
  LOOKS[operator] ?? (operator.includes('DURATION') ? WHOLE : undefined);

/** A text without its quotes. */
const bare = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What one log says and the other does not, by line and operator. */
export function logDifferences(envoy: Logs, tulle: Logs): string[] {
  const faults: string[] = [];
  for (const [index, line] of envoy.operators.entries()) {
    const other = tulle.operators[index] ?? {};
    for (const [operator, wanted] of Object.entries(line)) {
      const got = other[operator];
      const looks = looksOf(operator);
      const same =
        JSON.stringify(got) === JSON.stringify(wanted) ||
        (looks !== undefined &&
          typeof got === typeof wanted &&
          [got, wanted].every((value) => value !== null && looks.test(bare(value))));
      if (!same)
        faults.push(
          `line ${index}: %${operator}% is ${JSON.stringify(got)}, and of Envoy ${JSON.stringify(wanted)}`,
        );
    }
  }
  if (envoy.operators.length !== tulle.operators.length)
    faults.push(`there are ${tulle.operators.length} lines, and of Envoy ${envoy.operators.length}`);
  const [wanted, got] = [envoy, tulle].map(({ metadata }) => JSON.stringify(metadata.map(columnsOf)));
  if (wanted !== got) faults.push(`of tokens: ${got}, and of Envoy ${wanted}`);
  return faults;
}

/** JSON values by column; members in an order of their own. */
function columnsOf(line: string): unknown[] {
  return line
    .split(' ')
    .map((column) => Object.entries(JSON.parse(column) as object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
