import { ERROR_TABLE } from '@tulle/filter';
import { GRPC_STATUS_NAMES } from '@tulle/telemetry';

/** `docs/reference/errors.md`: the error table as a page. */
export function errorsPage(): string {
  const lines = [
    '# Errors',
    '',
    'Every way in which Tulle ends a request or refuses a configuration. Programs test the code; the response flag and the details',
    'string stand in access logs and records as Envoy prints them. Status `–`: nobody is left to answer.',
    '',
    'Generated from the error table of `@tulle/filter` by `pnpm reference`.',
    '',
    '| code | HTTP | gRPC | flag | details | caused by | may be retried |',
    '|---|---|---|---|---|---|---|',
  ];
  const rows = Object.entries(ERROR_TABLE);
  for (const [code, row] of rows) {
    const http = row.http === 0 ? '–' : String(row.http);
    lines.push(
      `| [${code}](#${code.toLowerCase()}) | ${http} | ${GRPC_STATUS_NAMES[row.grpc]} | ${row.flag} | \`${row.details}\` | ${row.source} | ${row.retryable ? 'yes' : 'no'} |`,
    );
  }
  lines.push('', '## What to look at', '');
  for (const [code, row] of rows) lines.push(`### ${code}`, '', row.hint, '');
  return lines.join('\n');
}
