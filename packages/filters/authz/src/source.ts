import { compileCidrs, type CompileContext } from '@tulle/match';
import type { AuthzSource } from '@tulle/model';
import { all, type Test } from './test.ts';

/** Compiles who calls. @param path JSON pointer of the source */
export function compileSource(source: AuthzSource, context: CompileContext, path: string): Test {
  const tests: Test[] = [];
  if (source.identities !== undefined) {
    const matches = compileIdentities(source.identities, context, `${path}/identities`);
    tests.push((stream) => {
      const identity = stream.connection.peerIdentity;
      return identity !== undefined && matches(identity);
    });
  }
  if (source.notIdentities !== undefined) {
    const matches = compileIdentities(source.notIdentities, context, `${path}/notIdentities`);
    // Who proved nothing might be anybody: that is enough to deny and not enough to allow.
    tests.push((stream, certain) => {
      const identity = stream.connection.peerIdentity;
      return identity === undefined ? !certain : !matches(identity);
    });
  }
  if (source.namespaces !== undefined) {
    const wanted = new Set(source.namespaces);
    tests.push((stream) => {
      const namespace = namespaceOf(stream.connection.peerIdentity);
      return namespace !== undefined && wanted.has(namespace);
    });
  }
  if (source.cidrs !== undefined) {
    const networks = compileCidrs(source.cidrs, context, `${path}/cidrs`);
    tests.push((stream) => networks.has(stream.connection.directAddress));
  }
  if (source.notCidrs !== undefined) {
    const networks = compileCidrs(source.notCidrs, context, `${path}/notCidrs`);
    tests.push((stream, certain) => {
      const address = stream.connection.directAddress;
      return address === '' ? !certain : !networks.has(address);
    });
  }
  return all(tests);
}

/** Trust domain and a slash: a wildcard may stand only after it, or it would reach into other trust domains. */
const ID_START = /^spiffe:\/\/[^/*]+\//;

function compileIdentities(
  patterns: readonly string[],
  context: CompileContext,
  path: string,
): (identity: string) => boolean {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  let any = false;
  for (const [index, pattern] of patterns.entries()) {
    const refuse = (message: string): void =>
      context.issue(`${path}/${index}`, `${JSON.stringify(pattern)} ${message}`);
    if (pattern === '*') any = true;
    else if (!pattern.startsWith('spiffe://'))
      refuse(
        'is no SPIFFE id; write spiffe://<trust domain>/ns/<namespace>/sa/<service account>, or * for any proven identity',
      );
    else if (!ID_START.test(pattern))
      refuse(
        'must name a whole trust domain, then a slash, before any *; otherwise other trust domains would match, e.g. spiffe://mesh.local/*',
      );
    else if (!pattern.includes('*')) exact.add(pattern);
    else if (pattern.indexOf('*') !== pattern.length - 1) refuse('may have one * only, at its end');
    else prefixes.push(pattern.slice(0, -1));
  }
  return (identity) => any || exact.has(identity) || prefixes.some((prefix) => hasPrefix(identity, prefix));
}

/** After a slash the star stands for everything below; within a segment, for the rest of that segment alone. */
function hasPrefix(identity: string, prefix: string): boolean {
  return identity.startsWith(prefix) && (prefix.endsWith('/') || !identity.includes('/', prefix.length));
}

/** `spiffe://<trust domain>/ns/<namespace>/sa/…` */
function namespaceOf(identity: string | undefined): string | undefined {
  return identity === undefined
    ? undefined
    : /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/.exec(identity)?.[1];
}
