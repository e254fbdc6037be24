import type { Headers } from '@tulle/filter';
import { compileStringMatch, DomainTable, type CompileContext } from '@tulle/match';
import type { AuthzTarget } from '@tulle/model';
import { compilePathPattern, type PathPattern } from './path-pattern.ts';
import type { PathReader } from './path-spellings.ts';
import { all, type Test } from './test.ts';

type HeaderCondition = NonNullable<AuthzTarget['headers']>[number];

/** Compiles what is called. @param path JSON pointer of the target */
export function compileTarget(
  target: AuthzTarget,
  reader: PathReader,
  context: CompileContext,
  path: string,
): Test {
  const tests: Test[] = [];
  if (target.methods !== undefined) tests.push(methodTest(target.methods));
  if (target.notMethods !== undefined) tests.push(not(methodTest(target.notMethods)));
  if (target.paths !== undefined) tests.push(pathTest(target.paths, reader, context, `${path}/paths`));
  if (target.notPaths !== undefined)
    tests.push(not(pathTest(target.notPaths, reader, context, `${path}/notPaths`)));
  if (target.hosts !== undefined) tests.push(hostTest(target.hosts, context, `${path}/hosts`));
  if (target.notHosts !== undefined) tests.push(not(hostTest(target.notHosts, context, `${path}/notHosts`)));
  if (target.ports !== undefined) {
    const ports = new Set(target.ports);
    tests.push((stream) => ports.has(stream.connection.localPort));
  }
  for (const [index, condition] of (target.headers ?? []).entries())
    tests.push(headerTest(condition, context, `${path}/headers/${index}`));
  return all(tests);
}

/** Certainly not when not even possibly; possibly not when not certainly. */
function not(test: Test): Test {
  return (stream, certain) => !test(stream, !certain);
}

/** Methods are case-sensitive; an origin that is lenient about that is met by a DENY too. */
function methodTest(methods: readonly string[]): Test {
  const exact = new Set(methods);
  const upper = new Set(methods.map((method) => method.toUpperCase()));
  return (stream, certain) =>
    exact.has(stream.request.method) || (!certain && upper.has(stream.request.method.toUpperCase()));
}

function pathTest(
  patterns: readonly string[],
  reader: PathReader,
  context: CompileContext,
  path: string,
): Test {
  const compiled: readonly PathPattern[] = patterns.map((pattern, index) =>
    compilePathPattern(pattern, context, `${path}/${index}`),
  );
  return (stream, certain) => {
    const readings = reader.read(stream.request.path);
    for (const pattern of compiled)
      if (certain ? pattern.certain(readings) : pattern.possible(readings)) return true;
    return false;
  };
}

function hostTest(hosts: readonly string[], context: CompileContext, path: string): Test {
  const table = new DomainTable<true>();
  for (const [index, host] of hosts.entries()) table.add(host, true, context, `${path}/${index}`);
  return (stream) => table.get(stream.request.authority) !== undefined;
}

/**
 * One line that matches may be the one that the origin takes: possible. Certain only when there is a line and all match.
 */
function headerTest(condition: HeaderCondition, context: CompileContext, path: string): Test {
  const name = condition.name.toLowerCase();
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  const holds: Test = (stream, certain) =>
    certain ? everyLine(stream.request.headers, name, test) : someLine(stream.request.headers, name, test);
  return condition.invert === true ? not(holds) : holds;
}

function someLine(headers: Headers, name: string, test: (value: string) => boolean): boolean {
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) === name && test(headers.value(index))) return true;
  }
  return false;
}

function everyLine(headers: Headers, name: string, test: (value: string) => boolean): boolean {
  let found = false;
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) !== name) continue;
    if (!test(headers.value(index))) return false;
    found = true;
  }
  return found;
}
