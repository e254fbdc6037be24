import ts from 'typescript';
import { openSource, packageOf, placeOf, walk } from './program.ts';
import { createEvaluator } from './evaluate.ts';

/** A metric as the sources make it. */
export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly packageName: string;
}

/** What the sources say of metrics; `unresolved`: places whose name is known only at run time. */
export interface Metrics {
  readonly metrics: readonly Metric[];
  readonly unresolved: readonly string[];
}

/** They pass on what others ask for: those names stand where they are called. */
const PASSING_ON = /^packages\/(proxy\/core\/src\/compile\/filter-host\.ts|mechanisms\/metrics\/|testing\/)/;

/** Interfaces whose methods make instruments. Through a filter's host every name gets a prefix and a label. */
const METER = /^(Meter|Registry)$/;
const HOST = 'FilterHost';

let found: Metrics | undefined;

/** Every metric that the sources make: each call of a meter, its name and help followed through the functions that pass them. */
export function findMetrics(): Metrics {
  if (found) return found;
  const { files, checker } = openSource();
  const evaluator = createEvaluator(files, checker);
  const metrics = new Map<string, Metric>();
  const unresolved = new Set<string>();
  for (const file of files) {
    if (placeOf(file).startsWith('packages/testing/')) continue;
    for (const node of walk(file)) {
      if (!ts.isCallExpression(node)) continue;
      const callee = node.expression;
      const method = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
      if (!/^(counter|gauge|histogram|observed)$/.test(method)) continue;
      const owner = ts.isPropertyAccessExpression(callee) ? ownerOf(node, checker) : '';
      const host = owner === HOST;
      // The registry's own metrics are made where its methods are still plain functions.
      if (!host && !METER.test(owner) && !placeOf(file).endsWith('mechanisms/metrics/src/registry.ts'))
        continue;
      const site = siteOf(node, host);
      const rows = site === undefined ? undefined : evaluator.rows([site.name, ...site.helps], site.labels);
      if (site === undefined || rows === undefined) {
        if (!PASSING_ON.test(placeOf(file))) unresolved.add(placeOf(node));
        continue;
      }
      for (const { texts, bindings } of rows) {
        const [bare = '', help = ''] = texts;
        const name = host ? `tulle_filter_${bare}` : bare;
        const labels = site.labels === undefined ? [] : evaluator.keys(site.labels, bindings);
        add(metrics, {
          name,
          type:
            method === 'observed'
              ? name.endsWith('_total')
                ? 'counter'
                : 'gauge'
              : (method as Metric['type']),
          help,
          labels: [...labels, ...(host ? ['filter'] : [])],
          packageName: packageOf(node),
        });
      }
    }
  }
  return (found = {
    metrics: [...metrics.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    unresolved: [...unresolved].toSorted(),
  });
}

/** The interface that a called method belongs to. */
function ownerOf(call: ts.CallExpression, checker: ts.TypeChecker): string {
  const owner = checker.getResolvedSignature(call)?.declaration?.parent;
  return owner !== undefined && ts.isInterfaceDeclaration(owner) ? owner.name.text : '';
}

/** One family may be made in several places, with other labels. */
function add(metrics: Map<string, Metric>, metric: Metric): void {
  const key = `${metric.packageName} ${metric.name}`;
  const before = metrics.get(key);
  metrics.set(key, {
    ...metric,
    help: before?.help ?? metric.help,
    labels: [...new Set([...(before?.labels ?? []), ...metric.labels])].toSorted(),
  });
}

interface Site {
  readonly name: ts.Expression;
  readonly helps: readonly ts.Expression[];
  readonly labels: ts.Expression | undefined;
}

function siteOf(call: ts.CallExpression, host: boolean): Site | undefined {
  const [name, second, third] = call.arguments;
  if (name === undefined || second === undefined) return undefined;
  if (host) return { name, helps: [second], labels: third };
  if (!ts.isObjectLiteralExpression(second)) return undefined;
  const part = (key: string): ts.Expression | undefined => {
    for (const property of second.properties) {
      if (property.name === undefined || property.name.getText() !== key) continue;
      if (ts.isPropertyAssignment(property)) return property.initializer;
      if (ts.isShorthandPropertyAssignment(property)) return property.name;
    }
    return undefined;
  };
  const help = part('help');
  return { name, helps: help === undefined ? [] : [help], labels: part('labels') };
}
