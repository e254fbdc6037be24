import type { LocalReplies, LocalReplyFormat } from '@tulle/model';
import { compileJson, compileText, type FormatFault, type FormatIssue } from '@tulle/record-format';
import type { FilterPolicySpec } from '../kinds/filter-policy.ts';
import { isRouteKind } from '../routes.ts';
import type { CheckHost } from './check-host.ts';

/** What the schema cannot say of a FilterPolicy that shapes local replies. @param sound by its schema */
export function checkLocalReplies(spec: FilterPolicySpec, sound: boolean, host: CheckHost): void {
  for (const field of ['phase', 'mandatory', 'failOpen'] as const)
    if (spec[field] !== undefined)
      host.report(
        'TULLE0208',
        `/spec/${field}`,
        `${field} means nothing here: what the proxy answers itself passes no filter`,
      );
  for (const [i, target] of (spec.targetRefs ?? []).entries())
    if (isRouteKind(target.kind))
      host.report(
        'TULLE0208',
        `/spec/targetRefs/${i}/kind`,
        'replies are shaped for all that a proxy listens for, not for one route',
        'target the Service or Gateway, and tell replies apart by status and flag',
      );
  if (!sound) return;
  const { format, mappers = [] } = (spec.config ?? {}) as LocalReplies;
  if (format !== undefined) checkFormat(format, '/spec/config/format', host);
  for (const [i, mapper] of mappers.entries()) {
    const at = `/spec/config/mappers/${i}`;
    const { minStatus = 100, maxStatus = 599 } = mapper.match;
    if (Object.keys(mapper.match).length === 0)
      host.report('TULLE0208', `${at}/match`, 'a mapper needs a condition; for all replies there is format');
    if (minStatus > maxStatus)
      host.report(
        'TULLE0204',
        `${at}/match`,
        `minStatus (${minStatus}) is more than maxStatus (${maxStatus})`,
      );
    if (mapper.format !== undefined) checkFormat(mapper.format, `${at}/format`, host);
  }
}

function checkFormat(format: LocalReplyFormat, at: string, host: CheckHost): void {
  const options = {
    query: 'keep',
    maxFieldChars: 4_096,
    more: { LOCAL_REPLY_BODY: () => undefined },
  } as const;
  const faults: FormatFault[] = [];
  if ('json' in format) compileJson(format.json, '/json', faults, options);
  else {
    const issues: FormatIssue[] = [];
    compileText(format.text, issues, options);
    for (const issue of issues) faults.push({ where: '/text', issue });
  }
  for (const { where, issue } of faults)
    host.report('TULLE0205', at + where, `character ${issue.at + 1}: ${issue.message}`);
}
