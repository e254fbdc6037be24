import { findInvalidValue } from '@tulle/fields';
import type { LocalReplies, LocalReplyFormat, LocalReplyMapper } from '@tulle/model';
import {
  compileJson,
  compileText,
  type FormatFault,
  type FormatIssue,
  type Render,
} from '@tulle/record-format';
import type { CompiledLocalReplies, CompiledReplyFormat, CompiledReplyMapper } from './compiled.ts';
import { compileEdits } from './compile-edits.ts';
import type { Issues } from './issues.ts';

/** Values in a reply are cut past this: whoever reads it is a person, or a program that looks for a code. */
const MAX_VALUE_CHARS = 4_096;

/** Compiles what local replies look like; everything that is wrong goes to `issues`. @param path JSON pointer */
export function compileLocalReplies(
  replies: LocalReplies | undefined,
  path: string,
  issues: Issues,
): CompiledLocalReplies | undefined {
  if (replies === undefined) return undefined;
  return {
    format: replies.format && compileFormat(replies.format, `${path}/format`, issues),
    mappers: (replies.mappers ?? []).map((mapper, index) =>
      compileMapper(mapper, `${path}/mappers/${index}`, issues),
    ),
  };
}

function compileMapper(mapper: LocalReplyMapper, path: string, issues: Issues): CompiledReplyMapper {
  const { match, status, body, format, headers } = mapper;
  const { minStatus = 100, maxStatus = 599, flags } = match;
  if (Object.keys(match).length === 0)
    issues.add(`${path}/match`, 'has no condition; say which replies, or give the format for all of them');
  if (minStatus > maxStatus)
    issues.add(`${path}/match/minStatus`, `${minStatus} is more than maxStatus (${maxStatus})`);
  return {
    minStatus,
    maxStatus,
    flags: flags ?? null,
    status: status ?? 0,
    body,
    format: format && compileFormat(format, `${path}/format`, issues),
    edits: compileEdits(headers, `${path}/headers`, issues),
  };
}

export function compileFormat(format: LocalReplyFormat, path: string, issues: Issues): CompiledReplyFormat {
  const isJson = 'json' in format;
  const contentType = format.contentType ?? (isJson ? 'application/json' : 'text/plain; charset=utf-8');
  if (findInvalidValue(contentType) >= 0)
    issues.add(`${path}/contentType`, `${JSON.stringify(contentType)} cannot stand in a field`);
  let body = '';
  const options = {
    query: 'keep',
    omitEmpty: format.omitEmpty ?? false,
    maxFieldChars: MAX_VALUE_CHARS,
    more: { LOCAL_REPLY_BODY: () => body },
    valueText: /html|xml/i.test(contentType) ? characterData : (value: string) => value,
  } as const;
  const faults: FormatFault[] = [];
  let render: Render;
  if (isJson) render = compileJson(format.json, '/json', faults, options);
  else {
    const found: FormatIssue[] = [];
    render = compileText(format.text, found, options);
    for (const issue of found) faults.push({ where: '/text', issue });
  }
  for (const { where, issue } of faults) issues.add(path + where, `column ${issue.at + 1}: ${issue.message}`);
  return {
    contentType,
    render(record, localBody) {
      body = localBody;
      return isJson ? `${render(record)}\n` : render(record);
    },
  };
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What a caller sent must not become markup of the page that answers it. */
function characterData(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
