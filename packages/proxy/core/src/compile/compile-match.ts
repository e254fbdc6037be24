import { CompileContext } from '@tulle/match';
import type { FilterChain } from '@tulle/model';
import type { CompiledChainMatch } from './compiled-listener.ts';
import type { Issues } from './issues.ts';
import { Networks } from './networks.ts';

/** Compiles the conditions of a chain. @param path of the chain */
export function compileMatch(
  { match }: FilterChain,
  path: string,
  issues: Issues,
): CompiledChainMatch | undefined {
  if (match === undefined) return undefined;
  const context = new CompileContext();
  const networks = (key: 'destinationCidrs' | 'directSourceCidrs' | 'sourceCidrs'): Networks | undefined => {
    const cidrs = match[key];
    return cidrs === undefined ? undefined : new Networks(cidrs, context, `${path}/match/${key}`);
  };
  const compiled: CompiledChainMatch = {
    destinationPort: match.destinationPort,
    destinations: networks('destinationCidrs'),
    serverNames: match.serverNames?.map((name) =>
      (name.startsWith('*.') ? name.slice(1) : name).toLowerCase(),
    ),
    transport: match.transport,
    applicationProtocols: match.applicationProtocols,
    directSources: networks('directSourceCidrs'),
    sourceType: match.sourceType,
    sources: networks('sourceCidrs'),
    sourcePorts: match.sourcePorts,
  };
  for (const issue of context.issues) issues.add(issue.path, issue.message);
  return compiled;
}
