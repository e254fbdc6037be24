import { CompileContext, type RegexEngine } from '@tulle/match';
import type { Mirror } from '@tulle/model';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { UpstreamRef } from '../sides.ts';
import { compileEdits } from './compile-edits.ts';
import { compileHost } from './compile-rewrite.ts';
import type { CompiledEdits, CompiledMirror } from './compiled.ts';
import type { Issues } from './issues.ts';
import { namedTargets, NO_CLUSTER, target, type TargetParts } from './targets.ts';

/** What compiling mirrors needs besides them. */
export interface MirrorContext {
  readonly issues: Issues;
  readonly regex: RegexEngine | undefined;
  /** The reference of a cluster name; notes where the name stands. */
  cluster(name: string, path: string): UpstreamRef;
  /** That of a name which something else has named. */
  find(name: string): UpstreamRef | undefined;
}

/** @param name of the route that has them, `''` for none. `null`: there are none */
export function compileMirrors(
  name: string,
  mirrors: readonly Mirror[] | undefined,
  path: string,
  context: MirrorContext,
): readonly CompiledMirror[] | null {
  if (mirrors === undefined || mirrors.length === 0) return null;
  const { issues, find } = context;
  const parts: TargetParts = {
    kind: 'target',
    name,
    pattern: '',
    weight: 1,
    subset: undefined,
    host: '',
    table: EMPTY_TABLE,
    requestEdits: [],
    responseEdits: [],
  };
  const matching = new CompileContext(context.regex);
  const compiled = mirrors.map(
    (
      { cluster = '', clusterHeader, percent = 100, shadowHost = false, host, edits },
      index,
    ): CompiledMirror => ({
      target:
        clusterHeader === undefined
          ? target(parts, cluster, context.cluster(cluster, `${path}/${index}/cluster`))
          : target(parts, '', NO_CLUSTER, namedTargets(clusterHeader, parts, find)),
      percent,
      shadowHost,
      host: host && compileHost(host, `${path}/${index}/host`, matching),
      edits: mirrorEdits(edits, `${path}/${index}/edits`, issues),
    }),
  );
  for (const issue of matching.issues) issues.add(issue.path, issue.message);
  return compiled;
}

function mirrorEdits(edits: Mirror['edits'], path: string, issues: Issues): readonly CompiledEdits[] | null {
  const all = (edits ?? []).flatMap((one, index) => compileEdits(one, `${path}/${index}`, issues) ?? []);
  return all.length === 0 ? null : all;
}
