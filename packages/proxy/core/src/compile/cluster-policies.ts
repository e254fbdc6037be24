import {
  CompileContext,
  compileHeaderMatch,
  compileRequestMatch,
  compileStringMatch,
  loadedRegexEngine,
} from '@tulle/match';
import type { Headers } from '@tulle/filter';
import { RETRY_FILTER, type ChoiceCondition, type Cluster } from '@tulle/model';
import { withAttemptEnd, type PhaseTable } from '../chain/tables.ts';
import type { UpstreamPolicies, UpstreamRef } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { compileMirrors, type MirrorContext } from './compile-mirrors.ts';
import type { CompiledMirror } from './compiled.ts';
import { Issues } from './issues.ts';

/** @param fields of its head */
type AnswerTest = (status: number, fields: Headers) => boolean;

/** What a cluster says in the place of routes. */
export interface ClusterPolicies extends UpstreamPolicies {
  readonly mirrors: readonly CompiledMirror[] | null;
}

/** Where clusters are found that others name. */
export interface ClusterRefs {
  ref(name: string): UpstreamRef;
  find(name: string): UpstreamRef | undefined;
}

/** Whether a cluster says anything of its own. */
function hasPolicies({ retry, mirrors = [], failedAnswers }: Cluster): boolean {
  return retry !== undefined || mirrors.length > 0 || failedAnswers !== undefined;
}

/** Checks what the model's schema cannot. @param path of the cluster @param refs clusters that mirrors name are told */
export function checkPolicies(
  cluster: Cluster,
  path: string,
  issues: Issues,
  refs: MirrorContext['cluster'],
): void {
  const context = new CompileContext(loadedRegexEngine());
  const { policy, avoidOnRetry = [] } = cluster.retry ?? {};
  for (const [index, one] of (policy?.responseHeaders ?? []).entries())
    compileHeaderMatch(one, context, `${path}/retry/policy/responseHeaders/${index}`);
  for (const [index, one] of (policy?.requestHeaders ?? []).entries())
    compileRequestMatch(one, context, `${path}/retry/policy/requestHeaders/${index}`);
  for (const [index, labels] of avoidOnRetry.entries())
    if (Object.keys(labels).length === 0) issues.add(`${path}/retry/avoidOnRetry/${index}`, 'has no labels');
  if (cluster.failedAnswers !== undefined)
    compileAnswer(cluster.failedAnswers, context, `${path}/failedAnswers`);
  for (const issue of context.issues) issues.add(issue.path, issue.message);
  compileMirrors('', cluster.mirrors, `${path}/mirrors`, {
    issues,
    regex: loadedRegexEngine(),
    cluster: refs,
    find: () => undefined,
  });
}

/** Of a cluster that was found sound; `null`: it says nothing of its own. */
export function policiesOf(cluster: Cluster, { ref, find }: ClusterRefs): ClusterPolicies | null {
  if (!hasPolicies(cluster)) return null;
  const regex = loadedRegexEngine();
  const { failedAnswers } = cluster;
  return Object.freeze({
    retry: retryOf(cluster.retry),
    mirrors: compileMirrors('', cluster.mirrors, '', { issues: new Issues(), regex, cluster: ref, find }),
    failed: failedAnswers === undefined ? null : compileAnswer(failedAnswers, new CompileContext(regex), ''),
  });
}

function retryOf(retry: Cluster['retry']): UpstreamPolicies['retry'] {
  if (retry === undefined) return null;
  // The same object for all requests: by it the filter knows what it made of it.
  const policy = Object.freeze({ ...retry.policy });
  const made = new WeakMap<PhaseTable, PhaseTable>();
  const { avoidOnRetry = [], newPriorityEvery = 0 } = retry;
  return {
    avoidOnRetry: avoidOnRetry.length === 0 ? null : avoidOnRetry.map((labels) => Object.entries(labels)),
    newPriorityEvery,
    takeOver(ref) {
      const stream = ref as Stream;
      const { table, chain } = stream;
      // A table is of one chain, so by it the filter is known. A chain without it retries nothing.
      let found = made.get(table);
      if (found === undefined) {
        const filter = chain.filters.filters.find(({ definition }) => definition.id === RETRY_FILTER);
        found = filter === undefined ? table : withAttemptEnd(table, filter, policy);
        made.set(table, found);
      }
      stream.table = found;
    },
  };
}

function compileAnswer(condition: ChoiceCondition, context: CompileContext, path: string): AnswerTest {
  if (condition.kind === 'not') {
    const of = compileAnswer(condition.of, context, `${path}/of`);
    return (status, fields) => !of(status, fields);
  }
  if (condition.kind !== 'header') {
    const all = condition.kind === 'all';
    const parts = condition.of.map((one, index) => compileAnswer(one, context, `${path}/of/${index}`));
    return (status, fields) =>
      all ? parts.every((one) => one(status, fields)) : parts.some((one) => one(status, fields));
  }
  const { header } = condition;
  if (!header.name.startsWith(':')) {
    const test = compileHeaderMatch(header, context, `${path}/header`);
    return (_status, fields) => test(fields);
  }
  if (header.name !== ':status')
    context.issue(`${path}/header/name`, `${JSON.stringify(header.name)} is nothing that answers have`);
  const inverted = header.invert === true;
  if (header.match.kind === 'present') return () => !inverted;
  const test = compileStringMatch(header.match, context, `${path}/header/match`);
  return (status) => test(String(status)) !== inverted;
}
